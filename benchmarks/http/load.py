"""The load generator: hand-made HTTP/1.1 on keep-alive connections, cheap enough to share the machine.

Latencies are in seconds. In a closed loop every client sends its next request when it has its answer. In an
open loop requests have times at which they should be sent, and latency counts from then: an answer that comes
late does not hide the wait of those behind it (no coordinated omission).
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

LAST_ANSWER_TIMEOUT_S = 15.0
CONNECTIONS_MAX = 500
_WHY = re.compile(rb'"(?:code|reason)":\s*"(\w+)"')
_LENGTH = b"\r\ncontent-length:"

Answered = Callable[[int, bytes], None]


@dataclass(frozen=True)
class Expected:
    """The status, and what the body has to hold."""

    status: int
    text: bytes


@dataclass
class Samples:
    """What came of the requests that were to be sent from `starts_s` until `ends_s` (`time.perf_counter`).

    `completed` are those with the expected answer within that time, for a rate; `latencies_s` also has those
    that were answered later.
    """

    expected: Expected
    starts_s: float
    ends_s: float
    latencies_s: list[float] = field(default_factory=list)
    completed: int = 0
    unexpected: Counter[str] = field(default_factory=Counter)
    answered: int = 0

    @property
    def per_s(self) -> float:
        """Expected answers per second."""
        return self.completed / (self.ends_s - self.starts_s)

    def record(self, intended_s: float, status: int, body: bytes) -> None:
        """Note an answer that has come just now. `intended_s` is when its request should have been sent."""
        now_s = time.perf_counter()
        is_expected = status == self.expected.status and self.expected.text in body
        if not is_expected:
            self.unexpected[_what(status, body)] += 1
            return
        self.answered += 1
        if self.starts_s <= now_s < self.ends_s:
            self.completed += 1
        if self.starts_s <= intended_s:
            self.latencies_s.append(now_s - intended_s)

    def lost(self) -> None:
        """Note a request that has no answer."""
        self.unexpected["no answer"] += 1


def _what(status: int, body: bytes) -> str:
    why = _WHY.search(body)
    return f"{status} {why[1].decode()}" if why else str(status)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request in flight. `answered` gets status and body.

    A connection that is lost answers a request in flight with status 0.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._body_at = 0
        self._size = 0
        self._answered: Answered | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's callback."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.WriteTransport, transport)
        self.is_open = True

    def send(self, request: bytes, answered: Answered) -> None:
        """Send a whole request; the one before has its answer."""
        assert self._answered is None, "one request at a time"
        assert self._transport is not None, "connected"
        self._answered = answered
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """asyncio's callback."""
        self._received = self._received + data if self._received else data
        if not self._size:
            head_end = self._received.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = self._received[: head_end + 2].lower()
            position = head.find(_LENGTH)
            assert position >= 0, "the ingress tells every body's length"
            self._body_at = head_end + 4
            length = int(head[position + len(_LENGTH) : head.index(b"\r\n", position + 2)])
            self._size = self._body_at + length
        if len(self._received) >= self._size:
            self._finish(int(self._received[9:12]), self._received[self._body_at : self._size])

    def _finish(self, status: int, body: bytes) -> None:
        answered, self._answered = self._answered, None
        self._received, self._size = b"", 0
        if answered is not None:
            answered(status, body)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio's callback."""
        self.is_open = False
        self._finish(0, b"")

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def connect(url: str) -> Connection:
    """Open a connection to an `http://` address. Raises OSError."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, parts.hostname or "", parts.port or 80)
    return connection


@dataclass
class _Client:
    """Sends the next request when it has an answer, until the time is over."""

    connection: Connection
    requests: Iterator[bytes]
    samples: Samples
    done: asyncio.Future[None]
    sent_s: float = 0.0

    def send(self) -> None:
        request = next(self.requests, None)
        if request is None or time.perf_counter() >= self.samples.ends_s:
            self.done.set_result(None)
            return
        self.sent_s = time.perf_counter()
        self.connection.send(request, self._answered)

    def _answered(self, status: int, body: bytes) -> None:
        if self.done.done():
            return
        if not status:
            self.samples.lost()
            self.done.set_result(None)
            return
        self.samples.record(self.sent_s, status, body)
        self.send()


async def closed_loop(
    url: str,
    clients: int,
    requests: Iterable[bytes],
    expected: Expected,
    seconds: float,
    warm_up_s: float = 0.0,
    measuring: Callable[[], None] | None = None,
) -> Samples:
    """Let `clients` send `requests` for `seconds`, behind `warm_up_s` that do not count.

    `measuring` is called when the warm-up is over. Ends early when there are no more requests.
    """
    loop = asyncio.get_running_loop()
    connections = [await connect(url) for _ in range(clients)]
    starts_s = time.perf_counter() + warm_up_s
    samples = Samples(expected, starts_s, starts_s + seconds)
    shared = iter(requests)
    if measuring is not None:
        loop.call_later(warm_up_s, measuring)
    at_work = [_Client(connection, shared, samples, loop.create_future()) for connection in connections]
    for client in at_work:
        client.send()
    timeout_s = warm_up_s + seconds + LAST_ANSWER_TIMEOUT_S
    _, unanswered = await asyncio.wait([client.done for client in at_work], timeout=timeout_s)
    for future in unanswered:
        future.set_result(None)
        samples.lost()
    for connection in connections:
        connection.close()
    samples.ends_s = min(samples.ends_s, time.perf_counter())
    return samples
