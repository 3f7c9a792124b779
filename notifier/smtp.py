"""Mail over SMTP (RFC 5321), with TLS, over connections that are kept for some messages."""

import asyncio
import contextlib
import email.policy
import re
import ssl
from dataclasses import dataclass
from email.message import EmailMessage

import aiosmtplib
from aiosmtplib import (
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from infra.errors import MisconfiguredError
from infra.settings import Settings
from notifier.channels import AwayError, Begin, BrokenError, DeferredError, NotDeliveredError, RefusedError
from notifier.content import Clinic, Letter, compose_mail
from notifier.content.text import mail_address

IDLE_S = 10.0
SHUTTING_DOWN = 421
# RFC 4954, section 6, and what servers said before it: nobody is let in without a login, or another one.
NOT_LET_IN = (530, 535, 538)
EIGHT_BIT = email.policy.SMTP
SEVEN_BIT = EIGHT_BIT.clone(cte_type="7bit")
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


@dataclass(eq=False)
class _Connection:
    smtp: aiosmtplib.SMTP
    messages: int = 0
    idle: asyncio.TimerHandle | None = None


class SmtpChannel:
    """Mail through the clinic's SMTP server."""

    name = "mail"

    def __init__(self, settings: Settings) -> None:
        """Raises MisconfiguredError: the file with the authorities cannot be read."""
        self.accept_timeout_s = settings.smtp_accept_timeout_s
        self._settings = settings
        self._context = _context(settings)
        self._idle: list[_Connection] = []

    async def deliver(self, letter: Letter, clinic: Clinic, begin: Begin) -> None:
        """See `Channel`."""
        message = compose_mail(letter, clinic)
        if self._idle and await self._deliver(self._kept(), message, begin, fresh=False):
            return
        await self._deliver(await self._connected(), message, begin, fresh=True)

    async def _deliver(
        self, connection: _Connection, message: EmailMessage, begin: Begin, *, fresh: bool
    ) -> bool:
        """False: the server would not use the kept connection any more."""
        connection.messages += 1
        try:
            await self._transaction(connection.smtp, message, begin, fresh=fresh)
        except BaseException as error:
            if isinstance(error, (RefusedError, DeferredError)):
                self._give_back(connection)
            else:
                connection.smtp.close()
            if isinstance(error, _StaleError):
                return False
            raise
        self._give_back(connection)
        return True

    async def _transaction(
        self, smtp: aiosmtplib.SMTP, message: EmailMessage, begin: Begin, *, fresh: bool
    ) -> None:
        sender, recipient = _envelope(message)
        eight_bit = smtp.supports_extension("8bitmime")
        begun = False
        try:
            try:
                await smtp.mail(sender, options=["BODY=8BITMIME"] if eight_bit else [])
            except (SMTPServerDisconnected, SMTPSenderRefused) as error:
                code = error.code if isinstance(error, SMTPSenderRefused) else SHUTTING_DOWN
                if 400 <= code <= 499:
                    smtp.close()  # it may be this connection that has had enough
                    if not fresh:
                        raise _StaleError from None
                raise
            await smtp.rcpt(recipient)
            content = message.as_bytes(policy=EIGHT_BIT if eight_bit else SEVEN_BIT)
            await begin()
            begun = True
            await smtp.data(content, timeout=self.accept_timeout_s)
        except SMTPResponseException as error:
            if smtp.is_connected:
                with contextlib.suppress(SMTPException, OSError):
                    await smtp.rset()
            raise _refusal(error) from None
        except (SMTPException, OSError) as error:
            where = "before its answer to the whole message" if begun else "in the middle"
            why = "did not answer" if isinstance(error, SMTPTimeoutError) else "hung up"
            raise BrokenError(f"the server {why} {where}") from None

    async def _connected(self) -> _Connection:
        settings, password = self._settings, self._settings.smtp_password
        smtp = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            # What the server calls us in its log; looking up our own name may take long.
            local_hostname=mail_address(settings.mail_sender).rpartition("@")[2],
            timeout=settings.smtp_timeout_s,
            use_tls=settings.smtp_tls == "implicit",
            start_tls=settings.smtp_tls == "starttls",
            tls_context=self._context,
        )
        try:
            await smtp.connect()
            await smtp.ehlo()
        except BaseException as error:
            smtp.close()
            if isinstance(error, (SMTPException, OSError)):
                raise AwayError(_why_not_connected(error)) from None
            raise
        return _Connection(smtp)

    def _kept(self) -> _Connection:
        connection = self._idle.pop()
        if connection.idle is not None:
            connection.idle.cancel()
        return connection

    def _give_back(self, connection: _Connection) -> None:
        smtp = connection.smtp
        if not smtp.is_connected or connection.messages >= self._settings.smtp_messages_per_connection:
            smtp.close()
            return
        connection.idle = asyncio.get_running_loop().call_later(IDLE_S, self._leave, connection)
        self._idle.append(connection)

    def _leave(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        connection.smtp.close()

    async def close(self) -> None:
        """Say good-bye on the connections that are left."""
        connections = [self._kept().smtp for _ in range(len(self._idle))]
        # Whoever stops us does not wait for long.
        await asyncio.gather(*(smtp.quit(timeout=1.0) for smtp in connections), return_exceptions=True)
        for smtp in connections:
            smtp.close()


class _StaleError(NotDeliveredError):
    """A kept connection was of no use any more: nothing was sent on it."""


def _context(settings: Settings) -> ssl.SSLContext | None:
    if settings.smtp_tls == "none":
        return None
    try:
        return ssl.create_default_context(cafile=settings.smtp_ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise MisconfiguredError(f"{settings.smtp_ca_file} does not hold certificates: {error}") from None


def _envelope(message: EmailMessage) -> tuple[str, str]:
    [sender], [recipient] = message["From"].addresses, message["To"].addresses
    return sender.addr_spec, recipient.addr_spec


def _refusal(error: SMTPResponseException) -> NotDeliveredError:
    # The code and the enhanced code (RFC 3463). Never the text: it quotes the address.
    enhanced = _ENHANCED_CODE.match(error.message)
    said = f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
    at = " for its recipient" if isinstance(error, SMTPRecipientRefused) else ""
    if isinstance(error, SMTPSenderRefused):
        if error.code == SHUTTING_DOWN:
            return AwayError(f"the server goes away: {said}")
        if error.code in NOT_LET_IN:
            return AwayError(f"it does not let us in: {said}")
    if 500 <= error.code <= 599:
        return RefusedError(f"refused{at}: {said}")
    if 400 <= error.code <= 499:
        return DeferredError(f"put off{at}: {said}")
    return BrokenError(f"no answer of SMTP: {said}")


def _why_not_connected(error: SMTPException | OSError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, SMTPResponseException):
        return f"it does not let us in: {error.code}"
    return f"{type(error).__name__}: cannot connect"
