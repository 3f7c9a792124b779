"""The witness: a place outside of the clinic that keeps signed heads of the trail.

A trail that was forged as a whole is consistent in itself. Heads that left in time reveal it: `clinic audit
verify --head FILE` compares with what the witness kept. So nobody who administers the database may be able to
write there.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
import asyncpg
import httpx

from auditor.metrics import WITNESS_FAILING
from contracts.audit import HeadFile
from infra import clock
from infra.crypto.tls import smtp_options
from infra.errors import MisconfiguredError, TransientError
from infra.settings import Settings
from storage.audit import latest_heads

Keep = Callable[[str, bytes, datetime], Awaitable[None]]

TIMEOUT_S = 30.0
MAIL_TEXT = """\
The attached file is a signed statement of what the audit trail of {clinic} held at {at:%Y-%m-%d %H:%M} UTC.
Keep it where nobody who administers the clinic's database can change it. To compare the trail with it:

    clinic audit verify --head {name}
"""


class Witness:
    """Sends the newest heads, unless they are those that it sent last."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool) -> None:
        """Raises MisconfiguredError: `audit_witness_url` is no place that can be sent to."""
        self._pool = pool
        self._keep = _keep(settings)
        self._kept = HeadFile(heads=())

    async def send(self) -> None:
        """Send the heads, if there are newer ones.

        Raises:
            TransientError: the witness did not take them.
            OUTAGES: of `infra.postgres`.
        """
        newest = HeadFile(heads=tuple(await latest_heads(self._pool)))
        if newest == self._kept:
            return
        now = clock.now()
        content = newest.model_dump_json(indent=2).encode()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._keep(f"heads-{now:%Y%m%dT%H%M%SZ}.json", content, now)
        except (OSError, aiosmtplib.SMTPException, httpx.HTTPError) as error:  # TimeoutError is an OSError
            WITNESS_FAILING.set(1)
            raise TransientError(f"the witness did not take the heads: {type(error).__name__}") from None
        WITNESS_FAILING.set(0)
        self._kept = newest


def _keep(settings: Settings) -> Keep:
    assert settings.audit_witness_url is not None, "checked by the caller"
    url = settings.audit_witness_url.get_secret_value()
    parts = urlsplit(url)
    match parts.scheme:
        case "file" if parts.path and not parts.netloc:
            return _in_folder(Path(unquote(parts.path)))
        case "mailto" if "@" in parts.path:
            return _by_mail(settings, unquote(parts.path))
        case "https" | "http" if parts.hostname:
            return _by_post(url)
    raise MisconfiguredError("CLINIC_AUDIT_WITNESS_URL is neither file:///, mailto: nor https://.")


def _in_folder(folder: Path) -> Keep:
    def write(name: str, content: bytes) -> None:
        part = folder / f".{name}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / name)

    async def keep(name: str, content: bytes, _: datetime) -> None:
        await asyncio.to_thread(write, name, content)

    return keep


def _by_mail(settings: Settings, recipient: str) -> Keep:
    options = smtp_options(settings)

    async def keep(name: str, content: bytes, now: datetime) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = settings.mail_sender, recipient
        mail["Subject"] = f"{settings.name}: heads of the audit trail"
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = make_msgid(domain=settings.mail_sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(MAIL_TEXT.format(clinic=settings.name, at=now, name=name))
        mail.add_attachment(content, maintype="application", subtype="json", filename=name)
        await aiosmtplib.send(mail, timeout=TIMEOUT_S, **options)

    return keep


def _by_post(url: str) -> Keep:
    async def keep(name: str, content: bytes, _: datetime) -> None:
        headers = {
            "Content-Type": "application/json",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
            answer = await http.post(url, content=content, headers=headers)
            answer.raise_for_status()

    return keep
