"""The sinks' process: `python -m ops.mail.sinks DATA_DIR SMTP_PORT HTTP_PORT [TLS_FILE [HOST]]`.

With the file of a certificate and its key (PEM), both sinks are served with TLS from the first byte. They
listen on loopback, or on another address if they have TLS.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop

from infra import clock
from infra.crypto.tls import serving_context
from infra.priority import give_way
from ops.mail import MAILS, TEXTS, number_of

LOOPBACK = "127.0.0.1"
HOST_NAME = "sink.invalid"
KEPT_MAX = 20_000
# Deleted together, so that listing the folder is rare.
DELETED_TOGETHER = 1_000
MESSAGE_BYTES_MAX = 1024 * 1024
COMMAND_BYTES_MAX = 2048
MESSAGE_END = b"\r\n.\r\n"


class Sink:
    """Stores messages as files, atomically but without fsync: it is only a sink."""

    def __init__(self, data_dir: Path) -> None:
        self._mails, self._texts = data_dir / MAILS, data_dir / TEXTS
        self._unfinished = data_dir / "mail" / "tmp"
        for folder in (self._mails, self._mails.parent / "cur", self._unfinished, self._texts):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = [*self._mails.iterdir(), *self._texts.iterdir()]
        self._last = max(map(number_of, kept), default=0)
        self._kept = len(kept)

    def keep(self, content: bytes, *, is_mail: bool) -> int:
        """Store a message. Returns its number."""
        self._last += 1
        self._kept += 1
        name = f"{clock.now().timestamp() * 1e9:.0f}.N{self._last}.sink"
        unfinished = self._unfinished / name
        unfinished.write_bytes(content)
        unfinished.rename((self._mails if is_mail else self._texts) / name)
        if self._kept > KEPT_MAX:
            self._forget_oldest()
        return self._last

    def _forget_oldest(self) -> None:
        kept = sorted([*self._mails.iterdir(), *self._texts.iterdir()], key=number_of)
        for path in kept[:DELETED_TOGETHER]:
            path.unlink(missing_ok=True)
        self._kept = len(kept) - DELETED_TOGETHER

    async def handle_http(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI: stores a JSON object by POST as a text message and rejects anything else."""
        body, unfinished = b"", scope["method"] == "POST"
        while unfinished and len(body) <= MESSAGE_BYTES_MAX:
            part = await receive()
            body, unfinished = body + part.get("body", b""), part.get("more_body", False)
        status = 400
        with contextlib.suppress(ValueError):
            if len(body) <= MESSAGE_BYTES_MAX and isinstance(json.loads(body), dict):
                self.keep(body, is_mail=False)
                status = 202
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class SmtpSession(asyncio.Protocol):
    """One connection to the mail sink (RFC 5321, with PIPELINING): accepts and stores all messages.

    Implemented here because libraries read a message line by line, and took more CPU time for a mail than its
    booking did.
    """

    def __init__(self, keep: Callable[[bytes], int]) -> None:
        """`keep` stores a message and returns its number."""
        self._keep = keep
        self._received = b""
        self._sender = ""
        self._recipients: list[str] = []
        self._reads_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's callback."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._reply(f"220 {HOST_NAME} ready")

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
        self._received += data
        while not self._transport.is_closing():
            end = self._received.find(MESSAGE_END if self._reads_message else b"\r\n")
            if end < 0:
                break
            if self._reads_message:
                content, self._received = self._received[: end + 2], self._received[end + 5 :]
                self._reads_message = False
                # The first line break is that of the DATA command.
                self._message(content.replace(b"\r\n..", b"\r\n.")[2:])
            else:
                line, self._received = self._received[:end], self._received[end + 2 :]
                self._command(line.decode(errors="replace"))
        limit = MESSAGE_BYTES_MAX if self._reads_message else COMMAND_BYTES_MAX
        if len(self._received) > limit:
            self._reply("552 5.3.4 too long")
            self._transport.close()

    def _command(self, line: str) -> None:
        verb, _, argument = line.partition(" ")
        match verb.upper():
            case "EHLO":
                extensions = (f"SIZE {MESSAGE_BYTES_MAX}", "8BITMIME", "SMTPUTF8", "PIPELINING")
                self._reply(
                    "\r\n250-".join((f"250-{HOST_NAME}", *extensions[:-1])) + f"\r\n250 {extensions[-1]}"
                )
            case "HELO":
                self._reply(f"250 {HOST_NAME}")
            case "MAIL":
                self._sender, self._recipients = _path(argument), []
                self._reply("250 2.1.0 OK")
            case "RCPT":
                self._recipients.append(_path(argument))
                self._reply("250 2.1.5 OK")
            case "DATA" if self._recipients:
                self._received = b"\r\n" + self._received
                self._reads_message = True
                self._reply("354 end with a dot on a line of its own")
            case "DATA":
                self._reply("503 5.5.1 RCPT first")
            case "RSET":
                self._recipients = []
                self._reply("250 2.0.0 OK")
            case "NOOP":
                self._reply("250 2.0.0 OK")
            case "QUIT":
                self._reply("221 2.0.0 goodbye")
                self._transport.close()
            case _:
                self._reply("502 5.5.1 not implemented")

    def _message(self, content: bytes) -> None:
        trace = f"Return-Path: <{self._sender}>\nX-Envelope-To: {', '.join(self._recipients)}\n"
        number = self._keep(trace.encode() + content.replace(b"\r\n", b"\n"))
        self._recipients = []
        self._reply(f"250 2.0.0 kept as {number}")

    def _reply(self, line: str) -> None:
        self._transport.write(f"{line}\r\n".encode())


def _path(argument: str) -> str:
    """The address in `FROM:<address> …` or `TO:<address> …`."""
    return argument.partition("<")[2].partition(">")[0]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield  # they are ours


async def _serve(
    data_dir: Path, smtp_port: int, http_port: int, tls_file: Path | None, host: str = LOOPBACK
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_, stop.set)
    sink = Sink(data_dir)
    keep_mail = partial(sink.keep, is_mail=True)
    tls = serving_context(tls_file)
    smtp = await loop.create_server(lambda: SmtpSession(keep_mail), host, smtp_port, ssl=tls)
    app: Any = sink.handle_http
    config = uvicorn.Config(
        app,
        host=host,
        port=http_port,
        lifespan="off",
        interface="asgi3",
        log_level="warning",
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )
    http = _Server(config)
    serving = asyncio.create_task(http.serve())
    await stop.wait()
    smtp.close()
    http.should_exit = True
    await serving


def main(
    data_dir: str, smtp_port: str, http_port: str, tls_file: str | None = None, host: str = LOOPBACK
) -> None:
    """Keep messages until SIGTERM."""
    give_way()
    tls = Path(tls_file) if tls_file else None
    uvloop.run(_serve(Path(data_dir), int(smtp_port), int(http_port), tls, host))


if __name__ == "__main__":
    main(*sys.argv[1:])
