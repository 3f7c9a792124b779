"""`GET /v1/staff/events`: what happens in the book, live (server-sent events, WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contracts.fields import Id
from ingress.callers import AuthenticatedRoute, Staff
from ingress.event_feed import EventFeed, Place, StoredEvent
from ingress.openapi import LAST_EVENT_ID, answers
from ingress.problems import Code, invalid
from ingress.resources import resources
from ingress.streaming import Streamed

HEARTBEAT_INTERVAL_S = 15.0
# A connection that takes nothing for so long is closed; the reader may come back with its last id.
SLOW_READER_TIMEOUT_S = 10.0

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
    return Streamed(_messages(feed, place, doctor_id), "text/event-stream", SLOW_READER_TIMEOUT_S)


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
