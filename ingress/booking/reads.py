"""Reads of appointments: one, a list, its history, its calendar entry."""

from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from contracts.commands import Actor, ActorKind
from contracts.fields import Id
from contracts.security import PatientRead
from infra.queries import load_queries, where
from ingress.audit.security_log import event_context
from ingress.booking.history import histories
from ingress.booking.reasons import with_reasons
from ingress.booking.views import (
    AppointmentList,
    AppointmentView,
    HistoryList,
    calendar_download,
    method,
)
from ingress.doctors.reads import find_doctor
from ingress.http.auth import AuthenticatedRoute, Caller
from ingress.http.parameters import (
    PAGE_SIZE,
    Cursor,
    From,
    Limit,
    PathId,
    To,
    after_time_and_id,
    bound,
    time_and_id_before,
)
from ingress.http.problems import Code as ProblemCode
from ingress.http.problems import ForeignProblem, Problem, not_found
from ingress.http.views import answer
from ingress.openapi.responses import answers
from ingress.resources import Resources, resources
from scheduling.state import Status
from storage.rows import appointment_from_row

router = APIRouter(route_class=AuthenticatedRoute, tags=["appointments"])
_SQL = load_queries(Path(__file__).with_name("queries.sql"))
_COLUMNS = ", ".join(AppointmentView.model_fields)


@router.get(
    "/v1/appointments/{appointment_id}",
    response_model=AppointmentView,
    summary="Get an appointment",
    responses=answers(ProblemCode.NOT_FOUND),
)
async def get_appointment(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """For its patient and staff."""
    app = resources(request)
    row = await find_appointment(app, caller, appointment_id)
    _offer_read(request, caller, "appointment", row)
    [shown] = await with_reasons(app, [row])
    return answer(AppointmentView.model_validate(shown), ZoneInfo(app.settings.time_zone))


@router.get(
    "/v1/appointments",
    response_model=AppointmentList,
    summary="List appointments",
    responses=answers(ProblemCode.FORBIDDEN, ProblemCode.INVALID_FIELDS, ProblemCode.LOG_UNAVAILABLE),
)
async def list_appointments(
    request: Request,
    caller: Caller,
    status: Annotated[Status | None, Query(description="only those with this status")] = None,
    starts_from: From = None,
    starts_until: To = None,
    doctor_id: Annotated[Id | None, Query(description="only this doctor's")] = None,
    patient_id: Annotated[Id | None, Query(description="only this patient's; patients: their own id")] = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """Sorted by start. Patients see their own; staff see all.

    A request of staff for one patient's appointments is recorded in the security log before the answer, any
    other soon after it.
    """
    app = resources(request)
    zone = ZoneInfo(app.settings.time_zone)
    asked, values = where(
        {
            "patient_id = {}": _patient_filter(caller, patient_id),
            "doctor_id = {}": doctor_id,
            "status = {}": status,
            "starts_at >= {}": bound("/from", starts_from, zone),
            "starts_at < {}": bound("/to", starts_until, zone),
            "(starts_at, id) > ({}, {})": time_and_id_before(cursor),
        }
    )
    if caller.kind is ActorKind.STAFF and patient_id is not None:
        await app.security.record(PatientRead(**event_context(request, caller), patient_id=patient_id))
    rows = await app.pool.fetch(
        f"SELECT {_COLUMNS} FROM booking.appointments {asked} "  # noqa: S608 - our own words
        f"ORDER BY starts_at, id LIMIT {limit + 1}",
        *values,
    )
    has_more, rows = len(rows) > limit, rows[:limit]
    next_cursor = after_time_and_id(rows[-1]["starts_at"], rows[-1]["id"]) if has_more else None
    if patient_id is None:
        app.security.offer_book_read(
            request,
            caller,
            "appointments",
            patient_ids=(row["patient_id"] for row in rows),
            doctor_id=doctor_id,
        )
    page = {"items": await with_reasons(app, rows), "next_cursor": next_cursor}
    return answer(AppointmentList.model_validate(page), zone)


@router.get(
    "/v1/appointments/{appointment_id}/history",
    response_model=HistoryList,
    summary="Appointment history",
    responses=answers(ProblemCode.NOT_FOUND),
)
async def get_history(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """Everything that happened to the appointment, oldest first, with its audit entries. For its patient and
    staff."""
    app = resources(request)
    _offer_read(request, caller, "history", await find_appointment(app, caller, appointment_id))
    found = await histories(app.pool, [appointment_id])
    page = HistoryList(items=found.get(appointment_id, []), next_cursor=None)
    return answer(page, ZoneInfo(app.settings.time_zone))


@router.get(
    "/v1/appointments/{appointment_id}/calendar.ics",
    response_class=Response,
    summary="Calendar entry of an appointment",
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}},
        **answers(ProblemCode.NOT_FOUND),
    },
)
async def get_calendar_entry(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """iCalendar (RFC 5545). For its patient and staff."""
    app = resources(request)
    row = await find_appointment(app, caller, appointment_id)
    _offer_read(request, caller, "calendar_entry", row)
    appointment = appointment_from_row(row)
    doctor = await find_doctor(app, appointment.doctor_id)
    entry = calendar_download(appointment, doctor, app.settings)
    headers = {"Content-Disposition": f'attachment; filename="{appointment.id}.ics"'}
    # The method stands in both places or in none (RFC 5545, section 3.7.2).
    return Response(entry, 200, headers, f"text/calendar; charset=utf-8; method={method(appointment)}")


def _offer_read(request: Request, caller: Actor, view: str, row: asyncpg.Record) -> None:
    resources(request).security.offer_book_read(
        request, caller, view, patient_ids=(row["patient_id"],), appointment_id=row["id"]
    )


async def find_appointment(app: Resources, caller: Actor, appointment_id: UUID) -> asyncpg.Record:
    """The appointment's row, if the caller may see it.

    Raises:
        Problem: 404.
    """
    row = await app.pool.fetchrow(_SQL["appointment"], appointment_id)
    if row is None:
        raise not_found()
    if caller.kind is not ActorKind.STAFF and row["patient_id"] != caller.id:
        raise ForeignProblem(appointment_id)
    return row


def _patient_filter(caller: Actor, wanted: UUID | None) -> UUID | None:
    if caller.kind is ActorKind.STAFF:
        return wanted
    if wanted not in (None, caller.id):
        raise Problem(ProblemCode.FORBIDDEN, "Patients can list only their own appointments.")
    return caller.id
