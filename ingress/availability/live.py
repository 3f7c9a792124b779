"""`GET /v1/doctors/{id}/availability/events`: times that were taken or freed, as it happens, for anyone."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    TimeBlocked,
    TimeUnblocked,
)
from ingress.doctors.reads import find_doctor
from ingress.event_stream.feed import StoredEvent
from ingress.event_stream.routes import HEARTBEAT_INTERVAL_S, SLOW_READER_TIMEOUT_S
from ingress.http.network import Network
from ingress.http.parameters import INSTANT, PathId
from ingress.http.problems import Code
from ingress.http.streaming import Streamed
from ingress.http.strict_json import StrictRoute
from ingress.http.views import local
from ingress.openapi.responses import open_answers
from ingress.resources import Resources, resources

TAKEN, FREED = "taken", "freed"

router = APIRouter(route_class=StrictRoute, tags=["doctors"])


@router.get(
    "/v1/doctors/{doctor_id}/availability/events",
    summary="Stream changes of a doctor's free time",
    response_class=Response,
    responses={
        200: {
            "description": "An endless stream of server-sent events.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **open_answers(Code.NOT_FOUND, Code.BUSY),
    },
)
async def watch_availability(request: Request, doctor_id: PathId) -> Response:
    """Server-sent events `taken` and `freed`, each with `starts_at` and `ends_at`, and nothing about whom.

    A signal to read the availability again, as after connecting and from time to time: buffers and new weekly
    hours also change which slots are free, and a visit moved to another doctor may be told before what came
    earlier. 429 or 503 if there are too many streams.
    """
    app, network = resources(request), Network.of(request)
    app.open_stream_places.check(network.name)
    doctor = await find_doctor(app, doctor_id)
    messages = _messages(app, network, doctor_id, ZoneInfo(doctor.time_zone))
    streamed = Streamed(messages, "text/event-stream", SLOW_READER_TIMEOUT_S)
    streamed.headers["Cache-Control"] = "no-store"
    return streamed


async def _messages(
    app: Resources, network: Network, doctor_id: UUID, zone: ZoneInfo
) -> AsyncGenerator[bytes, None]:
    """Ends when the client has missed an event: it connects anew, and reads the availability."""
    now_s = asyncio.get_running_loop().time
    with app.open_stream_places.taken(network.name) as has_place:
        if not has_place:
            return
        async with app.feed.watched() as watcher:
            yield b": connected\nretry: 1000\n\n"
            silent_since_s = now_s()
            while not watcher.lost:
                event = await watcher.next(silent_since_s + HEARTBEAT_INTERVAL_S - now_s())
                messages = [] if event is None else list(changes(event, str(doctor_id), zone))
                if not messages and now_s() >= silent_since_s + HEARTBEAT_INTERVAL_S:
                    messages = [b": heartbeat\n\n"]
                for message in messages:
                    yield message
                    silent_since_s = now_s()


def changes(event: StoredEvent, doctor_id: str, zone: ZoneInfo) -> Iterator[bytes]:
    """How an event changes a doctor's free time, as messages."""
    if doctor_id not in event.data:
        return
    data = json.loads(event.data)
    is_theirs = data.get("doctor_id") == doctor_id
    if event.type == AppointmentRescheduled.__name__ and data["previous"]["doctor_id"] == doctor_id:
        yield _message(FREED, data["previous"], zone)
    if is_theirs and event.type in (
        AppointmentBooked.__name__,
        AppointmentRescheduled.__name__,
        TimeBlocked.__name__,
    ):
        yield _message(TAKEN, data, zone)
    if is_theirs and event.type in (AppointmentCancelled.__name__, TimeUnblocked.__name__):
        yield _message(FREED, data, zone)


def _message(change: str, data: dict[str, Any], zone: ZoneInfo) -> bytes:
    times = {name: local(INSTANT.validate_python(data[name]), zone) for name in ("starts_at", "ends_at")}
    return f"event: {change}\ndata: {json.dumps(times)}\n\n".encode()
