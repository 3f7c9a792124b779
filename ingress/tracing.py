"""The trace that a request belongs to (W3C Trace Context): the client's, or one that is made for it.

All that a request writes carries it, in the log, in security events and in lines of the service's own log.
"""

import re
import secrets

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

# Sections 3.2.2.1 to 3.2.2.4: version ff and ids of zeros are invalid, and then a new trace begins.
_VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Traced:
    """ASGI middleware that knows every request's trace before anything else happens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] == "http":
            found = _VALID.fullmatch(Headers(scope=scope).get("traceparent", ""))
            trace_id = found[1] if found else secrets.token_hex(16)
            # Not sampled: nobody keeps spans.
            traceparent = found[0] if found else f"00-{trace_id}-{secrets.token_hex(8)}-00"
            scope.setdefault("state", {}).update(request_id=trace_id, traceparent=traceparent)
            bind_contextvars(request_id=trace_id)
        await self._app(scope, receive, send)


def request_id(request: Request) -> str:
    """The trace id."""
    return str(request.state.request_id)


def traceparent(request: Request) -> str:
    """The header's value, as it goes on with what the request writes."""
    return str(request.state.traceparent)
