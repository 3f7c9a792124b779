"""Signed heads leave the clinic by themselves, and reveal a trail that was forged as a whole."""

import asyncio
import contextlib
import email
import email.policy
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import SecretStr

from auditor.metrics import WITNESS_FAILING
from auditor.witness import Witness
from contracts.audit import HeadFile
from infra.errors import MisconfiguredError
from tests.audit.tampering import audit_key, rewrite_from, set_end, set_head
from tests.audit.trail import Trail
from tests.notify.channels.smtp_server import SmtpServer
from tests.waiting import until_async

FAST = {"audit_head_interval_s": 0.1, "audit_witness_interval_s": 0.1}


@contextlib.asynccontextmanager
async def witnessed(trail: Trail, url: str) -> AsyncIterator[None]:
    async with trail.auditor(audit_witness_url=SecretStr(url), **FAST):
        yield


def received(folder: Path) -> list[tuple[int, Path]]:
    """The files that the witness has, each with the size of the chain in it, the earliest first."""
    files = sorted(folder.glob("heads-*.json"))
    return [(HeadFile.model_validate_json(file.read_bytes()).heads[0].size, file) for file in files]


async def holds(folder: Path, size: int) -> Path:
    """Waits until the witness has heads of so many entries: the file."""

    async def kept() -> bool:
        return size in dict(received(folder))

    await until_async(kept, f"heads of {size} entries", 30)
    return dict(received(folder))[size]


async def test_a_whole_rewritten_chain_differs_from_what_the_witness_keeps(
    kept: Trail, tmp_path: Path
) -> None:
    async with witnessed(kept, tmp_path.as_uri()):
        head = await holds(tmp_path, 50)
    await kept.verified(head)
    await rewrite_from(kept, 1, entries=50)
    await set_head(kept, audit_key(kept))
    await set_end(kept, audit_key(kept))
    await kept.verified()

    number, finding = await kept.finding(head)

    assert (number, "the first 50 entries are not those of the head" in finding) == (50, True)


async def test_nothing_is_sent_twice_and_what_grew_is_sent(trail: Trail, tmp_path: Path) -> None:
    await trail.happen(5)
    async with witnessed(trail, tmp_path.as_uri()):
        await holds(tmp_path, 5)
        await asyncio.sleep(1)
        assert len(received(tmp_path)) == 1
        await trail.happen(3, first=6)
        await holds(tmp_path, 8)


async def test_a_witness_that_is_unavailable_gets_it_later(trail: Trail, tmp_path: Path) -> None:
    folder = tmp_path / "not mounted"
    await trail.happen(5)
    async with witnessed(trail, folder.as_uri()):

        async def failing() -> bool:
            return bool(WITNESS_FAILING._value.get())

        await until_async(failing, "the witness fails", 30)
        folder.mkdir()
        await holds(folder, 5)
        assert not await failing()


async def test_by_mail(trail: Trail, tmp_path: Path) -> None:
    server = SmtpServer(tmp_path)
    trail.settings = server.settings(trail.settings)
    await server.process.start()
    try:
        await trail.happen(5)
        async with witnessed(trail, "mailto:trail@law.example"):
            [mailed, *_] = await server.receives(1)
    finally:
        await server.process.stop()
    mail = email.message_from_string(mailed.content, _class=EmailMessage, policy=email.policy.default)
    [attached] = mail.iter_attachments()
    assert (mail["To"], attached.get_content_type()) == ("trail@law.example", "application/json")
    name, content = attached.get_filename(), attached.get_payload(decode=True)
    assert isinstance(name, str)
    assert isinstance(content, bytes)
    (tmp_path / name).write_bytes(content)
    assert await trail.verified(tmp_path / name) == 5
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"clinic audit verify --head {name}" in body.get_content()


async def test_by_post(trail: Trail, inbox: "Inbox", tmp_path: Path) -> None:
    await trail.happen(5)
    async with witnessed(trail, f"http://clinic:secret@127.0.0.1:{inbox.port}/heads"):
        await until_async(inbox.has_some, "a head was posted", 30)
    path, authorization, content = inbox.received[-1]
    assert (path, authorization) == ("/heads", "Basic Y2xpbmljOnNlY3JldA==")
    (tmp_path / "heads.json").write_bytes(content)
    assert await trail.verified(tmp_path / "heads.json") == 5


@pytest.mark.parametrize(
    "url", ["ftp://law.example/", "mailto:nobody", "heads/", "https://", "file://law.example/x"]
)
async def test_a_place_that_is_none_keeps_the_auditor_from_starting(trail: Trail, url: str) -> None:
    settings = trail.settings.model_copy(update={"audit_witness_url": SecretStr(url)})
    with pytest.raises(MisconfiguredError, match="CLINIC_AUDIT_WITNESS_URL"):
        Witness(settings, trail.postgres)


class Inbox:
    """An HTTP server that takes what is posted, after it has refused the first."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str | None, bytes]] = []
        inbox, refused = self, threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if refused.is_set():
                    inbox.received.append((self.path, self.headers["Authorization"], content))
                self.send_response(204 if refused.is_set() else 503)
                self.end_headers()
                refused.set()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port

    async def has_some(self) -> bool:
        return bool(self.received)

    @contextlib.contextmanager
    def running(self) -> Iterator["Inbox"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        yield self
        self._server.shutdown()
        thread.join()
        self._server.server_close()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox().running() as inbox:
        yield inbox
