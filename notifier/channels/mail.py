"""Mail over SMTP (RFC 5321) with TLS, on connections that are reused for several messages."""

import asyncio
import contextlib
import re
import ssl
from dataclasses import dataclass

import aiosmtplib
from aiosmtplib import (
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from infra.crypto.tls import smtp_options
from infra.settings import Settings
from notifier.channels.base import (
    Begin,
    ConnectionLostError,
    DeferredError,
    NotDeliveredError,
    RefusedError,
    ServerUnavailableError,
)
from notifier.content import Clinic, Mail, Notification, compose_mail
from storage import mail_address

IDLE_S = 10.0
SMTPUTF8 = ("SMTPUTF8", "BODY=8BITMIME")
SHUTTING_DOWN = 421
# RFC 4954, section 6, and older servers: a login is required, or another one.
AUTH_REQUIRED = (530, 535, 538)
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


@dataclass(eq=False)
class _Connection:
    smtp: aiosmtplib.SMTP
    messages: int = 0
    idle: asyncio.TimerHandle | None = None


class SmtpChannel:
    """Mail through the clinic's SMTP server."""

    name = "mail"
    message = "mail"

    def __init__(self, settings: Settings) -> None:
        """Raises MisconfiguredError: the file with the authorities cannot be read."""
        self.accept_timeout_s = settings.smtp_accept_timeout_s
        self._settings = settings
        self._options = smtp_options(settings)
        self._idle: list[_Connection] = []

    async def deliver(self, notification: Notification, clinic: Clinic, begin: Begin) -> None:
        """See `Channel`."""
        mail = compose_mail(notification, clinic)
        if self._idle and await self._deliver(self._kept(), mail, begin, fresh=False):
            return
        await self._deliver(await self._connected(), mail, begin, fresh=True)

    async def _deliver(self, connection: _Connection, mail: Mail, begin: Begin, *, fresh: bool) -> bool:
        """False: the server no longer accepts the kept connection."""
        connection.messages += 1
        try:
            await self._transaction(connection.smtp, mail, begin, fresh=fresh)
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

    async def _transaction(self, smtp: aiosmtplib.SMTP, mail: Mail, begin: Begin, *, fresh: bool) -> None:
        if mail.needs_smtputf8 and not smtp.supports_extension("smtputf8"):
            raise RefusedError("the server does not offer SMTPUTF8")
        options = SMTPUTF8 if mail.needs_smtputf8 else ()
        begun = False
        try:
            try:
                await smtp.mail(mail.sender, options=options)
            except (SMTPServerDisconnected, SMTPSenderRefused) as error:
                code = error.code if isinstance(error, SMTPSenderRefused) else SHUTTING_DOWN
                if 400 <= code <= 499:
                    smtp.close()  # the server may be done with this connection
                    if not fresh:
                        raise _StaleError from None
                raise
            await smtp.rcpt(mail.recipient, encoding="utf-8")
            await begin()
            begun = True
            await smtp.data(mail.content, timeout=self.accept_timeout_s)
        except SMTPResponseException as error:
            if smtp.is_connected:
                with contextlib.suppress(SMTPException, OSError):
                    await smtp.rset()
            raise _refusal(error) from None
        except (SMTPException, OSError) as error:
            where = "before its answer to the whole message" if begun else "in the middle"
            why = "did not answer" if isinstance(error, SMTPTimeoutError) else "hung up"
            raise ConnectionLostError(f"the server {why} {where}") from None

    async def _connected(self) -> _Connection:
        settings = self._settings
        smtp = aiosmtplib.SMTP(
            # For the server's log; looking up the host's name may take long.
            local_hostname=mail_address.written(settings.mail_sender, smtputf8=False).rpartition("@")[2],
            timeout=settings.smtp_timeout_s,
            **self._options,
        )
        try:
            await smtp.connect()
            await smtp.ehlo()
        except BaseException as error:
            smtp.close()
            if isinstance(error, (SMTPException, OSError)):
                raise ServerUnavailableError(_why_not_connected(error)) from None
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
        """Close the idle connections politely."""
        connections = [self._kept().smtp for _ in range(len(self._idle))]
        # A stop does not wait for long.
        await asyncio.gather(*(smtp.quit(timeout=1.0) for smtp in connections), return_exceptions=True)
        for smtp in connections:
            smtp.close()


class _StaleError(NotDeliveredError):
    """A reused connection had gone stale: nothing was sent on it."""


def _refusal(error: SMTPResponseException) -> NotDeliveredError:
    # The code and the enhanced code (RFC 3463). Never the text: it quotes the address.
    enhanced = _ENHANCED_CODE.match(error.message)
    said = f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
    at = " for its recipient" if isinstance(error, SMTPRecipientRefused) else ""
    if isinstance(error, SMTPSenderRefused):
        if error.code == SHUTTING_DOWN:
            return ServerUnavailableError(f"the server is shutting down: {said}")
        if error.code in AUTH_REQUIRED:
            return ServerUnavailableError(f"login rejected: {said}")
    if 500 <= error.code <= 599:
        return RefusedError(f"refused{at}: {said}")
    if 400 <= error.code <= 499:
        return DeferredError(f"put off{at}: {said}")
    return ConnectionLostError(f"not an SMTP reply: {said}")


def _why_not_connected(error: SMTPException | OSError) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, SMTPResponseException):
        return f"login rejected: {error.code}"
    return f"{type(error).__name__}: cannot connect"
