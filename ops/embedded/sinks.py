"""The sinks' process: `python -m ops.embedded.sinks DATA_DIR SMTP_PORT HTTP_PORT` (`ops.embedded.mail`)."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from ops.embedded.mail import HOST, MAILS, TEXTS, number_of

HOST_NAME = "sink.invalid"
KEPT_MAX = 20_000
# Deleted at once, so that looking for the oldest is rare.
DELETED_TOGETHER = 1_000
MESSAGE_BYTES_MAX = 1024 * 1024


class Sink:
    """Keeps messages as files. Written whole or not at all, but not to the disk: it is a sink."""

    def __init__(self, data_dir: Path) -> None:
        self._mails, self._texts = data_dir / MAILS, data_dir / TEXTS
        self._unfinished = data_dir / "mail" / "tmp"
        for folder in (self._mails, self._mails.parent / "cur", self._unfinished, self._texts):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = [*self._mails.iterdir(), *self._texts.iterdir()]
        self._last = max(map(number_of, kept), default=0)
        self._kept = len(kept)

    def keep(self, content: bytes, *, is_mail: bool) -> None:
        """Keep a message."""
        self._last += 1
        self._kept += 1
        name = f"{time.time_ns()}.N{self._last}.sink"
        unfinished = self._unfinished / name
        unfinished.write_bytes(content)
        unfinished.rename((self._mails if is_mail else self._texts) / name)
        if self._kept > KEPT_MAX:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        kept = sorted([*self._mails.iterdir(), *self._texts.iterdir()], key=number_of)
        for path in kept[:DELETED_TOGETHER]:
            path.unlink(missing_ok=True)
        self._kept = len(kept) - DELETED_TOGETHER

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook: a whole mail has arrived."""
        trace = f"Return-Path: <{envelope.mail_from}>\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\n"
        content = envelope.original_content or b""
        self.keep(trace.encode() + content.replace(b"\r\n", b"\n"), is_mail=True)
        return f"250 2.0.0 kept as {self._last}"

    async def handle_http(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI: a JSON object by POST is a text message; anything else is refused."""
        body, more = b"", scope["method"] == "POST"
        while more and len(body) <= MESSAGE_BYTES_MAX:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        status = 400
        with contextlib.suppress(ValueError):
            if len(body) <= MESSAGE_BYTES_MAX and isinstance(json.loads(body), dict):
                self.keep(body, is_mail=False)
                status = 202
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield  # they are ours


async def _serve(data_dir: Path, smtp_port: int, http_port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_, stop.set)
    sink = Sink(data_dir)
    smtp = await loop.create_server(
        lambda: SMTP(sink, hostname=HOST_NAME, enable_SMTPUTF8=True, loop=loop), HOST, smtp_port
    )
    app: Any = sink.handle_http
    config = uvicorn.Config(
        app, host=HOST, port=http_port, lifespan="off", interface="asgi3", log_level="warning"
    )
    http = _Server(config)
    serving = asyncio.create_task(http.serve())
    await stop.wait()
    smtp.close()
    http.should_exit = True
    await serving


def main(data_dir: str, smtp_port: str, http_port: str) -> None:
    """Keep messages until SIGTERM."""
    uvloop.run(_serve(Path(data_dir), int(smtp_port), int(http_port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
