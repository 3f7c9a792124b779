"""HTTP/1.1 on a connection: uvicorn's protocol, with bounds on what a client may send, and on its time.

Uvicorn itself bounds neither heads nor the time for them, and takes `Upgrade: h2c` for the end of HTTP.
"""

import asyncio
import re
from enum import Enum
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from infra.settings import Settings
from ingress.http.browsers import FOR_DATA
from ingress.http.metrics import CONNECTIONS_REFUSED
from ingress.http.problems import Code, Problem, answer
from ingress.http.variants import WithoutChunks

# After an answer that ends the connection, what the client still sends is dropped for so long: closing at
# once would reset the connection, and the client might lose the answer (RFC 9112, section 9.6).
LINGER_S = 1.0
# RFC 9110, section 7.2, without the port's digits being counted.
_HOST = re.compile(rb"[\w.~%!$&'()*+,;=:\[\]-]*", re.ASCII)


class _Reading(Enum):
    """The part of a request that comes next on a connection."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"


class _UnacceptableError(Exception):
    """A request that is answered here, without the application."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `settings` is set by `protocol`."""

    settings: Settings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = self.settings.http_idle_timeout_s  # type: ignore[assignment]
        self._reading = _Reading.NOTHING
        self._head_bytes = 0
        self._unfinished_head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._problem: Problem | None = None
        self._is_ending = False
        self._is_upgrade = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse a connection that is one too many; close one on which nothing comes."""
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > self.settings.http_connections_max:
            CONNECTIONS_REFUSED.inc()
            self._end_with(Problem(Code.BUSY, "Too many connections. Retry later."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._disarm()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; a client that leaves a request unfinished is given a deadline for the rest."""
        if self._is_ending:
            return
        self._unset_keepalive_if_required()
        begun_before = self._reading is _Reading.HEAD
        try:
            self._feed(memoryview(data))
        except httptools.HttpParserError:
            self._end_with(self._problem or Problem(Code.MALFORMED_REQUEST, "The request is not HTTP/1.1."))
            return
        if self._reading is _Reading.HEAD and begun_before:
            # The parser reports a header when it is complete, and keeps what has come of it until then.
            self._unfinished_head_bytes += len(data)
            if self._unfinished_head_bytes > self.settings.http_head_bytes_max:
                self._end_with(self._head_too_large())
                return
        if self._reading is not _Reading.NOTHING:
            self._arm()
        elif self.cycle is None or self.cycle.response_complete:
            self._await_request()

    def _feed(self, data: memoryview) -> None:
        # After a head with `Upgrade` the parser expects another protocol. The upgrade is ignored (RFC 9110,
        # section 7.8): a new parser reads the head again without it, and then the body.
        while True:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                headers = [(name, value) for name, value in self.headers if name != b"upgrade"]
                head = [self.parser.get_method(), b" ", self.url, b" HTTP/1.1\r\n"]
                head += [part for name, value in headers for part in (name, b": ", value, b"\r\n")]
                self._is_upgrade = False
                self.parser = httptools.HttpRequestParser(self)
                self.parser.feed_data(b"".join([*head, b"\r\n"]))

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._reading = _Reading.HEAD
        self._head_bytes = self._unfinished_head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind a chunked body: those are dropped (RFC 9110, section 6.5.1)."""
        if self._reading is _Reading.HEAD:
            super().on_header(name, value)
        self._count(len(name) + len(value) + len(": \r\n"))

    def on_headers_complete(self) -> None:
        """Check what the application relies on, and start it."""
        if self.parser.get_method() == b"CONNECT":
            raise self._unacceptable(Problem(Code.MALFORMED_REQUEST, "This is not a proxy."))
        if self.parser.should_upgrade():
            self._is_upgrade = True
            return
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or not (hosts or self.parser.get_http_version() == "1.0"):
            # RFC 9112, section 3.2.
            raise self._unacceptable(Problem(Code.MALFORMED_REQUEST, "Exactly one Host header is required."))
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise self._unacceptable(Problem(Code.MALFORMED_REQUEST, "The Host header is not valid."))
        super().on_headers_complete()
        self._reading = _Reading.BODY
        self._disarm()

    def on_message_complete(self) -> None:
        """The end of the body, or of a head with an upgrade."""
        if self._is_upgrade:
            return
        self._reading = _Reading.NOTHING
        self._disarm()
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = WithoutChunks(app, cycle)
        super()._start_asgi_task(cycle, app)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also if the client has not taken its last answer yet."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _await_request(self) -> None:
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _count(self, size: int) -> None:
        self._head_bytes += size
        too_many = len(self.headers) > self.settings.http_header_count_max
        if too_many or self._head_bytes > self.settings.http_head_bytes_max:
            raise self._unacceptable(self._head_too_large())

    def _head_too_large(self) -> Problem:
        bytes_max, count_max = self.settings.http_head_bytes_max, self.settings.http_header_count_max
        detail = f"At most {bytes_max} bytes and {count_max} headers are accepted."
        return Problem(Code.HEADERS_TOO_LARGE, detail)

    def _unacceptable(self, problem: Problem) -> _UnacceptableError:
        self._problem = problem
        return _UnacceptableError()

    def _arm(self) -> None:
        if self._deadline is None:
            is_head = self._reading is _Reading.HEAD
            timeout_s = self.settings.http_head_timeout_s if is_head else self.settings.http_body_timeout_s
            self._deadline = self.loop.call_later(timeout_s, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.pipeline or (self._reading is _Reading.HEAD and self._is_answering()):
            # The client waits for an earlier answer; reading may be paused until then.
            self._arm()
            return
        self._end_with(Problem(Code.REQUEST_TIMEOUT, f"The {self._reading.value} did not come in time."))

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _end_with(self, problem: Problem) -> None:
        """Answer with the problem and close. An earlier request whose answer is due is answered instead."""
        self._is_ending = True
        self._disarm()
        self._unset_keepalive_if_required()
        is_body = self._reading is _Reading.BODY
        if self._is_answering() and not is_body:
            self.cycle.keep_alive = False
            return
        if is_body and (self.pipeline or self.cycle.response_started):
            self.transport.close()
            return
        response = answer(problem)
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            *FOR_DATA,
            (b"connection", b"close"),
        ]
        content = [STATUS_LINE[problem.status_code]]
        content += [part for name, value in headers for part in (name, b": ", value, b"\r\n")]
        self.transport.write(b"".join([*content, b"\r\n", bytes(response.body)]))
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)


def protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn, with the bounds of these settings."""
    return type("Protocol", (BoundedProtocol,), {"settings": settings})
