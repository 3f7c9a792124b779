"""Previews of new weekly hours and of time off: the bookings that would no longer fit."""

from collections.abc import Generator, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Request, Response

from contracts.command_resource import RefusalBody
from contracts.commands import Actor, BlockTime, SetWeeklyHours
from contracts.events import Fact
from contracts.fields import INSTANT_MAX
from contracts.refusals import Refusal
from infra import clock
from ingress.booking.reasons import Reasons
from ingress.booking.views import AppointmentView
from ingress.calendar.calendars import SQL, is_outside_hours, snapshot
from ingress.calendar.views import Preview, PreviewedAppointment, SchedulePreview, TimeOffPreview
from ingress.commands.submit import CommandIdentity
from ingress.doctors.reads import find_doctor
from ingress.doctors.routes import ScheduleBody
from ingress.doctors.time_off import TimeOffBody
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code
from ingress.http.views import answer
from ingress.openapi.responses import BODY_PROBLEMS, answers
from ingress.request_limits.steps import all_in_steps, in_steps
from ingress.resources import resources
from scheduling.decide import decide
from scheduling.evolve import evolve
from scheduling.state import Book, Doctor
from storage.rows import appointment_from_row

ITEMS_MAX = 200

router = APIRouter(route_class=AuthenticatedRoute, tags=["doctors"])


@router.post(
    "/v1/doctors/{doctor_id}/schedule/preview",
    response_model=SchedulePreview,
    summary="Preview new weekly hours",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, *BODY_PROBLEMS),
)
async def preview_schedule(
    request: Request, caller: Staff, doctor_id: PathId, body: ScheduleBody
) -> Response:
    """Staff only. Changes nothing. The bookings that would be outside of these hours, at most 200.

    Those that are `already` outside of the hours of today are among them. With a `refusal` there are none.
    """
    now = clock.now()
    doctor, rows = await _read(request, doctor_id, now, INSTANT_MAX)
    book = Book([doctor])
    command = SetWeeklyHours(**_never_sent(caller), doctor_id=doctor_id, hours=body.hours)
    decision = decide(book, command, now)
    items: list[PreviewedAppointment] = []
    if not isinstance(decision, Refusal):
        for fact in decision:
            evolve(book, fact, now)
        reasons = await Reasons.of(resources(request), rows)
        items = await in_steps(request, _outside(book.doctors[doctor_id], doctor, rows, reasons))
    shown = SchedulePreview(items=items[:ITEMS_MAX], total=len(items), refusal=_refusal(decision))
    return _recorded(request, caller, "schedule_preview", doctor, shown)


@router.post(
    "/v1/doctors/{doctor_id}/time-off/preview",
    response_model=TimeOffPreview,
    summary="Preview time off",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, *BODY_PROBLEMS),
)
async def preview_time_off(request: Request, caller: Staff, doctor_id: PathId, body: TimeOffBody) -> Response:
    """Staff only. Changes nothing. The bookings that conflict with this time off, at most 200.

    Without `cancel_conflicting` they are a `refusal`; with it, they are those that would be cancelled.
    """
    now = clock.now()
    doctor, rows = await _read(request, doctor_id, now, body.ends_at)
    book = await in_steps(request, _book(doctor, rows))
    command = BlockTime(
        **_never_sent(caller),
        doctor_id=doctor_id,
        time_off_id=clock.new_id(),
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    decision = decide(book, command, now)
    conflicts = set(decision.conflicts) if isinstance(decision, Refusal) else set()
    if conflicts and body.cancel_conflicting:
        decision = []
    conflicting = [row for row in rows if row["id"] in conflicts][:ITEMS_MAX]
    reasons = await Reasons.of(resources(request), conflicting)
    opened = map(reasons.opened, conflicting)
    items = await all_in_steps(request, map(AppointmentView.model_validate, opened))
    shown = TimeOffPreview(items=items, total=len(conflicts), refusal=_refusal(decision))
    return _recorded(request, caller, "time_off_preview", doctor, shown)


async def _read(
    request: Request, doctor_id: UUID, now: datetime, until: datetime
) -> tuple[Doctor, list[asyncpg.Record]]:
    """The doctor, and the booked visits that are not over and start before `until`.

    Raises:
        Problem: 404.
    """
    app = resources(request)
    async with snapshot(app.pool) as connection:
        doctor = await find_doctor(app, doctor_id, connection)
        return doctor, await connection.fetch(SQL["upcoming"], doctor_id, now, until)


def _outside(
    after: Doctor, before: Doctor, rows: Sequence[asyncpg.Record], reasons: Reasons
) -> Generator[None, None, list[PreviewedAppointment]]:
    found = []
    for row in rows:
        appointment = appointment_from_row(row)
        if is_outside_hours(after, appointment):
            already = is_outside_hours(before, appointment)
            found.append(PreviewedAppointment(**reasons.opened(row), already=already))
        yield
    return found


def _book(doctor: Doctor, rows: Sequence[asyncpg.Record]) -> Generator[None, None, Book]:
    book = Book([doctor])
    for row in rows:
        book.put(appointment_from_row(row))
        yield
    return book


def _never_sent(caller: Actor) -> CommandIdentity:
    """The identity of a command that is decided for a preview only."""
    return CommandIdentity(command_id=clock.new_id(), actor=caller, fingerprint="0" * 32)


def _refusal(decision: list[Fact] | Refusal) -> RefusalBody | None:
    return RefusalBody.of(decision if isinstance(decision, Refusal) else None)


def _recorded(request: Request, caller: Actor, view: str, doctor: Doctor, preview: Preview) -> Response:
    patient_ids = [appointment.patient_id for appointment in preview.items]
    resources(request).security.offer_book_read(
        request, caller, view, patient_ids=patient_ids, doctor_id=doctor.id
    )
    return answer(preview, ZoneInfo(doctor.time_zone))
