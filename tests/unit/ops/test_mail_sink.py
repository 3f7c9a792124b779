"""The mail sink, however a client cuts its bytes."""

import asyncio
from typing import Any

import pytest

from ops.mail.sinks import COMMAND_BYTES_MAX, SmtpSession

TRACE = b"Return-Path: <a@example.org>\nX-Envelope-To: b@example.org\n"
BEFORE = b"EHLO me\r\nMAIL FROM:<a@example.org> SIZE=9\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def kept_of(*pieces: bytes) -> tuple[list[bytes], Transport]:
    kept: list[bytes] = []

    def keep(content: bytes) -> int:
        kept.append(content)
        return len(kept)

    session, transport = SmtpSession(keep), Transport()
    session.connection_made(transport)
    for piece in pieces:
        session.data_received(piece)
    return kept, transport


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("message", "content"),
    [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\n"),
        (b"..\r\nb\r\n..c\r\n.\r\n", b".\nb\n.c\n"),
        (b"\r\nDATA\r\nQUIT\r\n.\r\n", b"\nDATA\nQUIT\n"),
    ],
)
def test_a_message_is_kept_as_it_was_sent(message: bytes, content: bytes, size: int) -> None:
    sent = BEFORE + message + b"QUIT\r\n"

    kept, transport = kept_of(*(sent[start : start + size] for start in range(0, len(sent), size)))

    assert kept == [TRACE + content]
    replies = [line for line in transport.written.decode().splitlines() if line[3] == " "]
    assert [reply[:3] for reply in replies] == ["220", "250", "250", "250", "354", "250", "221"]
    assert transport.closed


def test_two_messages_on_one_connection() -> None:
    kept, _ = kept_of(BEFORE + b"1\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n2\r\n.\r\n")

    assert kept == [TRACE + b"1\n", b"Return-Path: <>\nX-Envelope-To: c@example.org\n2\n"]


def test_a_message_needs_a_recipient() -> None:
    _, transport = kept_of(b"EHLO me\r\nMAIL FROM:<a@example.org>\r\nDATA\r\n")

    assert transport.written.splitlines()[-1].startswith(b"503 ")


def test_a_line_without_an_end_is_cut_off() -> None:
    _, transport = kept_of(b"x" * (COMMAND_BYTES_MAX + 1))

    assert transport.written.splitlines()[-1].startswith(b"552 ")
    assert transport.closed
