"""The trace of a request (W3C Trace Context), the client's or a new one, and an id of our own.

Everything that a request writes carries the trace: commands, security events and log lines. A client may send
the trace of another; so security events, log lines and the answer (`X-Request-Id`) have our own id beside it.
"""

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from infra import clock
from infra.telemetry import TRACEPARENT, Span, SpanKind


class Traced:
    """ASGI middleware that determines the ids of each request first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = TRACEPARENT.fullmatch(Headers(scope=scope).get("traceparent", ""))
        own_id = clock.new_secret(16).hex()
        with Span("HTTP", SpanKind.SERVER, found and found[0]) as span:
            # Without a collector of spans, a trace begins here that was not sampled.
            traceparent = (
                span.traceparent or f"00-{clock.new_secret(16).hex()}-{clock.new_secret(8).hex()}-00"
            )
            trace_id = traceparent.split("-")[1]
            scope.setdefault("state", {}).update(
                request_id=trace_id, traceparent=traceparent, own_request_id=own_id
            )
            bind_contextvars(request_id=trace_id, own_request_id=own_id)

            async def send_with_id(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = message.get("headers", ())
                    message["headers"] = [*headers, (b"x-request-id", own_id.encode())]
                    _tell(span, scope, message["status"], own_id)
                await send(message)

            await self._app(scope, receive, send_with_id)


def _tell(span: Span, scope: Scope, status: int, own_id: str) -> None:
    # The route, not the path: that may hold ids of persons.
    route = getattr(scope.get("route"), "path", None)
    span.note(
        {
            "http.request.method": scope["method"],
            "http.response.status_code": status,
            "clinic.request_id": own_id,
        }
    )
    if route:
        span.rename(f"{scope['method']} {route}")
        span.note({"http.route": route})
    if status >= 500:
        span.fail(str(status))


def request_id(request: Request) -> str:
    """The trace id."""
    return str(request.state.request_id)


def own_request_id(request: Request) -> str:
    """Our own id of the request, 32 hexadecimal digits."""
    return str(request.state.own_request_id)


def traceparent(request: Request) -> str:
    """The header for everything that the request writes."""
    return str(request.state.traceparent)
