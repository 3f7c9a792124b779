"""`GET /v1/staff/events`: booking events as they happen (server-sent events, WHATWG HTML, section 9.2)."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contracts.fields import Id
from contracts.security import principal
from infra.tokens import Access
from ingress.event_stream.feed import StoredEvent, StreamPosition
from ingress.http.auth import AuthenticatedRoute, Login, Staff
from ingress.http.problems import Code, invalid
from ingress.http.streaming import Streamed
from ingress.openapi.responses import LAST_EVENT_ID, answers
from ingress.resources import Resources, resources

HEARTBEAT_INTERVAL_S = 15.0
# A connection that accepts nothing for so long is closed; the reader may come back with its last id.
SLOW_READER_TIMEOUT_S = 10.0

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])


@router.get(
    "/v1/staff/events",
    summary="Stream booking events",
    response_class=Response,
    responses={
        200: {
            "description": "An endless stream of server-sent events.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **answers(Code.FORBIDDEN, Code.INVALID_FIELDS, Code.BUSY),
    },
    openapi_extra={"parameters": [LAST_EVENT_ID]},
)
async def watch(
    request: Request,
    caller: Staff,
    login: Login,
    doctor_id: Annotated[Id | None, Query(description="only this doctor's events")] = None,
) -> Response:
    """Staff only. Server-sent events from now on, or after `Last-Event-ID` without a gap.

    The stream ends when the access token expires, or soon after its login was ended. 429 or 503 if
    there are too many.
    """
    app = resources(request)
    feed = app.feed
    app.stream_places.check(principal(caller))
    last_seen = request.headers.get("last-event-id")
    end = await feed.end()
    position = end if last_seen is None else StreamPosition.parse(last_seen)
    if position is None or position.is_beyond(end):
        raise invalid("/last-event-id", "bad_event_id", "Unknown Last-Event-ID.")
    app.security.offer_book_read(request, caller, "stream", doctor_id=doctor_id)
    messages = _messages(app, position, doctor_id, login)
    return Streamed(messages, "text/event-stream", SLOW_READER_TIMEOUT_S)


async def _messages(
    app: Resources, position: StreamPosition, doctor_id: UUID | None, login: Access
) -> AsyncGenerator[bytes, None]:
    # Watch first, then read the table: an event in between is seen twice, and dropped by its sequence.
    feed, now_s = app.feed, asyncio.get_running_loop().time
    ends_s = now_s() + login.valid_for_s()

    def is_over() -> bool:
        return now_s() >= ends_s or login.session_id in app.revoked

    with app.stream_places.taken(principal(login.actor)) as has_place:
        if not has_place:
            return
        async with feed.watched() as watcher:
            # An id without data is no event; a reader that has seen none yet comes back with it.
            yield f": connected\nid: {position}\n\n".encode()
            while True:
                watcher.begin_again()
                async for event in feed.since(position):
                    if is_over():
                        return
                    if position.take(event) and _wanted(event, doctor_id):
                        yield _message(event, position)
                silent_since_s = now_s()
                while not watcher.lost:
                    live = await watcher.next(min(silent_since_s + HEARTBEAT_INTERVAL_S, ends_s) - now_s())
                    if is_over():
                        return
                    if live is not None and position.take(live) and _wanted(live, doctor_id):
                        yield _message(live, position)
                    elif now_s() >= silent_since_s + HEARTBEAT_INTERVAL_S:
                        yield f": heartbeat\nid: {position}\n\n".encode()
                    else:
                        continue
                    silent_since_s = now_s()


def _wanted(event: StoredEvent, doctor_id: UUID | None) -> bool:
    # A reschedule to another doctor also concerns the previous one; the key is the new one.
    return doctor_id is None or event.doctor_id == str(doctor_id) or f'"{doctor_id}"' in event.data


def _message(event: StoredEvent, position: StreamPosition) -> bytes:
    return f"id: {position}\nevent: {event.type}\ndata: {event.data}\n\n".encode()
