"""Responses that are streamed while they are produced."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_log = structlog.get_logger(__name__)


class Streamed(Response):
    """Sends until the parts end, the client disconnects, or it accepts nothing for too long.

    If a part cannot be produced, the connection is closed before the response is complete, so that the client
    notices.
    """

    def __init__(
        self, parts: AsyncGenerator[bytes, None], media_type: str, slow_reader_timeout_s: float
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"}, media_type=media_type)
        del self.headers["content-length"]
        self._parts = parts
        self._slow_reader_timeout_s = slow_reader_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        disconnecting = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((sending, disconnecting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when the server stops and cancels this.
            sending.cancel()
            disconnecting.cancel()
            [sent, _] = await asyncio.gather(sending, disconnecting, return_exceptions=True)
        if isinstance(sent, _SlowReaderError):
            _log.info("a client reads too slowly", path=scope["path"])
        elif isinstance(sent, Exception):
            raise sent

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._parts) as parts:
            async for part in parts:
                try:
                    async with asyncio.timeout(self._slow_reader_timeout_s):
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                except TimeoutError:
                    raise _SlowReaderError from None
        await send({"type": "http.response.body", "body": b""})


class _SlowReaderError(Exception):
    """The client reads too slowly."""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
