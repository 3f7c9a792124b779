"""A real SMTP server that misbehaves on request.

`python -m tests.notify.channels.smtp_process DIRECTORY PORT`

It reads `rules.json` in its directory at every step, and writes there what happens: `steps.ndjson`, and each
mail whose last dot has arrived in `mails.ndjson`. See `tests.notify.channels.smtp_server`.
"""

import argparse
import asyncio
import email
import json
import ssl
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

POLL_S = 0.02


class Book:
    """The rules, and the record of what happened."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._used: Counter[str] = Counter()

    async def step(self, step: str, to: str = "") -> str | None:
        """Record the step and apply its first rule. Returns the rule's reply, if it has one."""
        self.write("steps.ndjson", {"at": time.time(), "step": step, "to": to})
        for rule in self._rules():
            if rule["step"] != step or rule["to"] not in to or self._used[rule["id"]] >= rule["times"]:
                continue
            self._used[rule["id"]] += 1
            match rule["do"].split(" ", 1):
                case ["hold"]:
                    while rule["id"] in {other["id"] for other in self._rules()}:  # noqa: ASYNC110 (a file)
                        await asyncio.sleep(POLL_S)
                case ["wait", seconds]:
                    await asyncio.sleep(float(seconds))
                case _:
                    return str(rule["do"])
            return None
        return None

    def _rules(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = json.loads((self._directory / "rules.json").read_text())
        return rules

    def write(self, name: str, line: dict[str, Any]) -> None:
        with (self._directory / name).open("a") as file:
            file.write(json.dumps(line) + "\n")


class Server(SMTP):
    """`drop` closes the connection; any other action of a rule is the reply."""

    def __init__(self, book: Book, **options: Any) -> None:
        super().__init__(self, **options)
        self.book = book

    def hang_up(self) -> str:
        assert self.transport is not None, "it is connected"
        self.transport.abort()  # type: ignore[attr-defined]
        raise asyncio.CancelledError

    async def _handle_client(self) -> None:
        if await self.book.step("connect") == "drop":
            self.hang_up()
        await super()._handle_client()

    async def _act(self, step: str, to: str = "") -> str | None:
        reply = await self.book.step(step, to)
        return self.hang_up() if reply == "drop" else reply

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await self._act("mail"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := await self._act("rcpt", address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        to = self.envelope.rcpt_tos[0] if self.envelope and self.envelope.rcpt_tos else ""
        if reply := await self._act("data", to):
            await self.push(reply)
            return
        await super().smtp_DATA(arg)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        [to] = envelope.rcpt_tos
        reply = await self.book.step("dot", to)
        if reply is None or reply == "drop":
            message = email.message_from_bytes(content)
            self.book.write(
                "mails.ndjson",
                {
                    "at": time.time(),
                    "to": to,
                    "id": message["Message-ID"],
                    "subject": message["Subject"],
                    "content": content.decode("utf-8", "surrogateescape"),
                },
            )
        if reply == "drop":
            self.hang_up()
        reply = reply or await self._act("reply", to)
        return reply or "250 2.0.0 OK"


async def serve(directory: Path, port: int, tls: str, certificate: str | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    book = Book(directory)
    loop = asyncio.get_running_loop()
    starttls = {"tls_context": context, "require_starttls": True} if tls == "starttls" else {}

    def protocol() -> Server:
        return Server(book, hostname="mail.test", enable_SMTPUTF8=True, loop=loop, timeout=600, **starttls)

    server = await loop.create_server(protocol, "127.0.0.1", port, ssl=context if tls == "implicit" else None)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"), default="none")
    parser.add_argument("--certificate")
    options = parser.parse_args()
    asyncio.run(serve(options.directory, options.port, options.tls, options.certificate))


if __name__ == "__main__":
    main()
