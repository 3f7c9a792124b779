"""Answers to HEAD, and to clients of HTTP/1.0."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class HeadAnswered:
    """ASGI middleware: HEAD is GET without the body (RFC 9110, section 9.3.2), and ends an endless answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["route"] = inner.get("route")  # for the metrics
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app(inner, receive, sending)


class WithoutChunks:
    """The application for clients of HTTP/1.0, which has no chunks: the connection's end ends the body."""

    def __init__(self, app: ASGIApp, cycle: RequestResponseCycle) -> None:
        self._app = app
        self._cycle = cycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        has_length = True

        async def sending(message: Message) -> None:
            nonlocal has_length
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                has_length = b"content-length" in names or message["status"] in (204, 304)
                if not has_length:
                    self._cycle.chunked_encoding = False
            elif not has_length:
                # The cycle checks that as much comes as was announced.
                self._cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, sending)
