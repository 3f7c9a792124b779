"""`GET /v1/staff/events`: what happens in the book, live (server-sent events, WHATWG HTML, section 9.2)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from contracts.fields import Id
from ingress.callers import AuthenticatedRoute, Staff
from ingress.event_feed import EventFeed, Place, StoredEvent
from ingress.openapi import LAST_EVENT_ID, answers
from ingress.problems import Code, invalid
from ingress.resources import resources

HEARTBEAT_INTERVAL_S = 15.0
# A connection that takes nothing for so long is closed; the reader may come back with its last id.
SLOW_READER_TIMEOUT_S = 10.0

_log = structlog.get_logger(__name__)

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])


@router.get(
    "/v1/staff/events",
    summary="Watch the book live",
    response_class=Response,
    responses={
        200: {
            "description": "A stream without end.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **answers(Code.FORBIDDEN, Code.INVALID_FIELDS),
    },
    openapi_extra={"parameters": [LAST_EVENT_ID]},
)
async def watch(
    request: Request,
    caller: Staff,
    doctor_id: Annotated[Id | None, Query(description="only this doctor's events")] = None,
) -> Response:
    """Server-sent events from now on, or from behind `Last-Event-ID`, with none missing. Staff only."""
    feed = resources(request).feed
    last_seen = request.headers.get("last-event-id")
    end = await feed.end()
    place = end if last_seen is None else Place.parse(last_seen)
    if place is None or place.is_beyond(end):
        raise invalid("/last-event-id", "bad_event_id", "This is no id of this stream.")
    return EventStream(_messages(feed, place, doctor_id))


async def _messages(feed: EventFeed, place: Place, doctor_id: UUID | None) -> AsyncGenerator[bytes, None]:
    # Watch first, then read what is there: what comes in between is seen twice, and dropped by its sequence.
    now_s = asyncio.get_running_loop().time
    async with feed.watched() as watcher:
        # An id without data is no event, but what a reader comes back with that has seen none yet.
        yield f": here is the book\nid: {place}\n\n".encode()
        while True:
            watcher.begin_again()
            async for event in feed.since(place):
                if place.take(event) and _wanted(event, doctor_id):
                    yield _message(event, place)
            silent_since_s = now_s()
            while not watcher.lost:
                live = await watcher.next(silent_since_s + HEARTBEAT_INTERVAL_S - now_s())
                if live is not None and place.take(live) and _wanted(live, doctor_id):
                    yield _message(live, place)
                elif now_s() >= silent_since_s + HEARTBEAT_INTERVAL_S:
                    yield f": still here\nid: {place}\n\n".encode()
                else:
                    continue
                silent_since_s = now_s()


def _wanted(event: StoredEvent, doctor_id: UUID | None) -> bool:
    # A move to another doctor concerns the one who loses it, too; the key is the one who gets it.
    return doctor_id is None or event.doctor_id == str(doctor_id) or f'"{doctor_id}"' in event.data


def _message(event: StoredEvent, place: Place) -> bytes:
    return f"id: {place}\nevent: {event.type}\ndata: {event.data}\n\n".encode()


class EventStream(Response):
    """Sends until the messages end, the reader goes, or it takes nothing for too long."""

    def __init__(self, messages: AsyncGenerator[bytes, None]) -> None:
        super().__init__(
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type="text/event-stream"
        )
        del self.headers["content-length"]
        self._messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when the server stops and cancels this.
            sending.cancel()
            leaving.cancel()
            [sent, _] = await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(sent, TimeoutError):
            _log.info("a reader of the live events was too slow")
        elif isinstance(sent, Exception):
            raise sent

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._messages) as messages:
            async for message in messages:
                async with asyncio.timeout(SLOW_READER_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": message, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
