"""A connection in memory: bytes go in, and what the protocol made of them comes out."""

import asyncio
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from infra.settings import Settings
from ingress.http.protocol import BoundedProtocol

# Those that this protocol may give by itself: malformed, too late, too large.
STATUSES = {b"400", b"408", b"431"}


class _Loop:
    """Timers that never fire."""

    def call_later(self, delay: float, callback: Any, *args: Any) -> "_Loop":
        return self

    def cancel(self) -> None:
        pass


class _Transport:
    """What is written, and whether it was closed."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def get_extra_info(self, name: str) -> Any:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    abort = write_eof = close

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


class _Connection(BoundedProtocol):
    """A connection whose requests are collected, and not answered."""

    settings = Settings()
    started: list[RequestResponseCycle]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.started.append(cycle)


async def _app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("no request is answered here")


_CONFIG = Config(_app, log_config=None, lifespan="off")


def received(*parts: bytes) -> tuple[list[Any], bytes]:
    """The requests that these bytes begin (method, path, query, headers, body), and what is answered."""
    transport = _Transport()
    connection = _Connection(_CONFIG, ServerState(), {}, cast(asyncio.AbstractEventLoop, _Loop()))
    connection.started = []
    connection.connection_made(cast(asyncio.Transport, transport))
    for part in parts:
        if part and not transport.is_closed:
            connection.data_received(part)
    cycles = [*connection.started, *(cycle for cycle, _ in reversed(connection.pipeline))]
    names = ("method", "path", "query_string", "headers")
    requests = [[*(cycle.scope[name] for name in names), cycle.body] for cycle in cycles]
    connection.connection_lost(None)
    return requests, transport.written


def check_head(content: bytes) -> None:
    """No exception; bounds are kept; only documented answers; and it is one thing however it arrives."""
    requests, answered = received(content)
    limits = _Connection.settings
    for _, path, query, headers, _ in requests:
        size = len(path) + len(query) + sum(len(name) + len(value) for name, value in headers)
        # A path can be shorter than what was sent ("%41"), never longer.
        assert len(headers) <= limits.http_header_count_max
        assert size <= limits.http_head_bytes_max
    if answered:
        assert answered.startswith(b"HTTP/1.1 ")
        assert answered[9:12] in STATUSES, answered[:30]
        head = answered.partition(b"\r\n\r\n")[0]
        assert not [line for line in content.splitlines() if len(line) > 20 and line in head]
    if len(content) < limits.http_head_bytes_max:
        middle = len(content) // 2
        assert received(content[:middle], content[middle:]) == (requests, answered)
