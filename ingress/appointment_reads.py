"""Reads of appointments: one, a page, its history, its calendar entry."""

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from contracts.commands import Actor, ActorKind
from contracts.fields import DateOrInstant, Id, Instant
from contracts.security import PatientRead
from ingress.callers import AuthenticatedRoute, Caller
from ingress.doctor_reads import find_doctor
from ingress.ics import calendar_entry, method
from ingress.openapi import answers
from ingress.paging import PAGE_SIZE, Cursor, Limit, bad_cursor, cursor_after, key_before
from ingress.paths import PathId
from ingress.problems import Code as ProblemCode
from ingress.problems import ForeignProblem, Problem, invalid, not_found
from ingress.resources import Resources, resources
from ingress.security import told
from ingress.views import (
    AppointmentList,
    AppointmentView,
    AuditPlace,
    HistoryEntry,
    HistoryList,
    appointment_page,
    history_entry,
)
from scheduling.rows import appointment_from_row
from scheduling.state import Appointment, Status

router = APIRouter(route_class=AuthenticatedRoute, tags=["appointments"])
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@router.get(
    "/v1/appointments/{appointment_id}",
    response_model=AppointmentView,
    summary="One appointment",
    responses=answers(ProblemCode.NOT_FOUND),
)
async def get_appointment(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """For its patient and for staff."""
    here = resources(request)
    appointment = await find_appointment(here, caller, appointment_id)
    view = AppointmentView.of(appointment, ZoneInfo(here.settings.time_zone))
    return Response(view.model_dump_json(), media_type="application/json")


@router.get(
    "/v1/appointments",
    response_model=AppointmentList,
    summary="List appointments",
    responses=answers(ProblemCode.FORBIDDEN, ProblemCode.INVALID_FIELDS, ProblemCode.LOG_UNAVAILABLE),
)
async def list_appointments(
    request: Request,
    caller: Caller,
    status: Status | None = None,
    starts_from: Annotated[DateOrInstant | None, Query(alias="from", description="first")] = None,
    starts_until: Annotated[DateOrInstant | None, Query(alias="to", description="last")] = None,
    doctor_id: Id | None = None,
    patient_id: Id | None = None,
    cursor: Cursor = None,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """By start. Patients see their own; staff see all. Dates are the clinic's, both inclusive.

    Staff asking for one patient's are recorded before they are answered.
    """
    here = resources(request)
    zone = ZoneInfo(here.settings.time_zone)
    conditions = {
        "patient_id = {}": _patient_filter(caller, patient_id),
        "doctor_id = {}": doctor_id,
        "status = {}": status,
        "starts_at >= {}": bound("/from", starts_from, zone),
        "starts_at < {}": bound("/to", starts_until, zone),
        "(starts_at, id) > ({}, {})": _key(cursor),
    }
    if caller.kind is ActorKind.STAFF and patient_id is not None:
        await here.security.record(PatientRead(**told(request, caller), patient_id=patient_id))
    rows = await _select(here, conditions, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    next_cursor = cursor_after([rows[-1]["starts_at"].isoformat(), str(rows[-1]["id"])]) if more else None
    return Response(appointment_page(rows, zone, next_cursor), media_type="application/json")


@router.get(
    "/v1/appointments/{appointment_id}/history",
    response_model=HistoryList,
    summary="What became of an appointment",
    responses=answers(ProblemCode.NOT_FOUND),
)
async def get_history(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """Everything that happened to it, oldest first, and where the audit trail has it. For its patient and for
    staff."""
    here = resources(request)
    await find_appointment(here, caller, appointment_id)
    rows = await here.pool.fetch(
        """
        SELECT e.type, e.data, e.partition, e.sequence, a.hash
        FROM booking.events e
        -- The trail numbers the events of a partition as their sequences do.
        LEFT JOIN audit.entries a ON a.chain = 'booking' AND a.partition = e.partition
            AND a.number = e.sequence AND a.occurred_at = e.decided_at AND a.command_id = e.command_id
        WHERE e.subject = $1 AND e.subject <> e.key
        ORDER BY e.decided_at, e.partition, e.sequence
        """,
        str(appointment_id),
    )
    zone = ZoneInfo(here.settings.time_zone)
    entries = [history_entry(row["type"], json.loads(row["data"]), zone, _recorded(row)) for row in rows]
    page = HistoryList(items=_in_order(entries), next_cursor=None)
    return Response(page.model_dump_json(), media_type="application/json")


@router.get(
    "/v1/appointments/{appointment_id}/calendar.ics",
    response_class=Response,
    summary="An appointment as a calendar entry",
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}},
        **answers(ProblemCode.NOT_FOUND),
    },
)
async def get_calendar_entry(request: Request, caller: Caller, appointment_id: PathId) -> Response:
    """iCalendar (RFC 5545). For its patient and for staff."""
    here = resources(request)
    appointment = await find_appointment(here, caller, appointment_id)
    doctor = await find_doctor(here, appointment.doctor_id)
    entry = calendar_entry(appointment, doctor, ZoneInfo(here.settings.time_zone))
    headers = {
        "Content-Disposition": f'attachment; filename="{appointment.id}.ics"',
        "Cache-Control": "no-store",
    }
    # The method stands in both places or in none (RFC 5545, section 3.7.2).
    return Response(entry, 200, headers, f"text/calendar; charset=utf-8; method={method(appointment)}")


async def find_appointment(here: Resources, caller: Actor, appointment_id: UUID) -> Appointment:
    """The appointment, if the caller may know of it.

    Raises:
        Problem: 404.
    """
    row = await here.pool.fetchrow("SELECT * FROM booking.appointments WHERE id = $1", appointment_id)
    if row is None:
        raise not_found()
    if caller.kind is ActorKind.PATIENT and row["patient_id"] != caller.id:
        raise ForeignProblem(appointment_id)
    return appointment_from_row(row)


def _recorded(row: asyncpg.Record) -> AuditPlace | None:
    if row["hash"] is None:
        return None  # the auditor has not come to it yet
    return AuditPlace(partition=row["partition"], number=row["sequence"], hash=row["hash"].hex())


def _in_order(by_time: list[HistoryEntry]) -> list[HistoryEntry]:
    # Its events may be in the partitions of several doctors, whose brokers' clocks differ a little: the
    # version puts them in order. What changed nothing has none; its place is where its time is.
    reached, keyed = 0, []
    for entry in by_time:
        reached = max(reached, entry.version or 0)
        keyed.append((entry.version or reached, entry))
    return [entry for _, entry in sorted(keyed, key=lambda pair: pair[0])]


def _patient_filter(caller: Actor, wanted: UUID | None) -> UUID | None:
    if caller.kind is ActorKind.STAFF:
        return wanted
    if wanted not in (None, caller.id):
        raise Problem(ProblemCode.FORBIDDEN, "Patients see their own appointments.")
    return caller.id


async def _select(here: Resources, conditions: Mapping[str, Any], limit: int) -> list[asyncpg.Record]:
    """The first appointments that meet the conditions; one whose value is None is no condition.

    Only what is asked stands in the statement, so that each kind of question is planned for itself.
    """
    values: list[Any] = []
    parts = ["true"]
    for condition, value in conditions.items():
        if value is not None:
            some = value if isinstance(value, tuple) else (value,)
            places = range(len(values) + 1, len(values) + 1 + len(some))
            parts.append(condition.format(*(f"${place}" for place in places)))
            values += some
    rows: list[asyncpg.Record] = await here.pool.fetch(
        f"""
        SELECT id, doctor_id, patient_id, visit_type, starts_at, ends_at, status, version, booked_at,
            cancelled_by, cancel_reason
        FROM booking.appointments WHERE {" AND ".join(parts)} ORDER BY starts_at, id LIMIT {limit}
        """,  # noqa: S608 - our own words
        *values,
    )
    return rows


def bound(pointer: Literal["/from", "/to"], day: date | None, zone: ZoneInfo) -> datetime | None:
    """The instant meant by an instant (itself) or by a date: its midnight, for `/to` the one behind it.

    Raises:
        Problem: 422, that midnight is out of range in UTC.
    """
    if day is None or isinstance(day, datetime):
        return day
    days = timedelta(days=1 if pointer == "/to" else 0)
    try:
        return _INSTANT.validate_python(datetime.combine(day + days, time.min, zone))
    except ValidationError as error:
        raise invalid(pointer, "instant", error.errors()[0]["msg"]) from None


def _key(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    starts_at, id_ = key_before(cursor, 2)
    try:
        return _INSTANT.validate_python(starts_at), UUID(id_)
    except ValueError:
        raise bad_cursor() from None
