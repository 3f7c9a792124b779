"""`GET /v1/doctors/{id}/calendar` and `GET /v1/calendar`: appointments, time off and free time, for staff."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from contracts.fields import Date, Id
from contracts.refusals import DETAILS, Reason
from infra import clock
from infra.postgres import Connection
from ingress.availability.days import MARGIN
from ingress.availability.routes import DAYS_MAX, check_period
from ingress.calendar.calendars import SQL, compute_calendars, read_calendars, snapshot
from ingress.calendar.views import CalendarList, CalendarView
from ingress.doctors.reads import after_doctor, doctor_before, find_doctor
from ingress.event_stream.feed import read_end
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import Cursor, PathId, bad_cursor
from ingress.http.problems import ERRORS_MAX, Code, Problem
from ingress.openapi.responses import answers
from ingress.resources import resources
from scheduling.state import Doctor
from storage.rows import doctor_from_row

DEFAULT_DAYS = 7
DOCTORS_MAX = 50
DAYS_OF_MANY_MAX = 31

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])


@router.get(
    "/v1/doctors/{doctor_id}/calendar",
    response_model=CalendarView,
    summary="Calendar of a doctor",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.INVALID_FIELDS),
)
async def get_calendar(
    request: Request,
    caller: Staff,
    doctor_id: PathId,
    starts_on: Annotated[
        Date | None, Query(alias="from", description="first local date; default today")
    ] = None,
    ends_on: Annotated[
        Date | None, Query(alias="to", description="last local date, inclusive; default 6 days after `from`")
    ] = None,
) -> Response:
    """Staff only. At most 62 days."""
    app = resources(request)
    async with snapshot(app.pool) as connection:
        doctor = await find_doctor(app, doctor_id, connection)
        first = starts_on or clock.now().astimezone(ZoneInfo(doctor.time_zone)).date()
        last = ends_on or first + timedelta(days=DEFAULT_DAYS - 1)
        check_period(first, last)
        calendars = await read_calendars(connection, [doctor], first, last)
    [computed] = await compute_calendars(request, calendars)
    shown = computed.patient_ids
    app.security.offer_book_read(request, caller, "calendar", patient_ids=shown, doctor_id=doctor_id)
    return Response(computed.body, media_type="application/json")


@router.get(
    "/v1/calendar",
    response_model=CalendarList,
    summary="Calendars of several doctors",
    responses=answers(Code.FORBIDDEN, Code.INVALID_FIELDS),
)
async def list_calendars(
    request: Request,
    caller: Staff,
    doctor_ids: Annotated[
        list[Id] | None,
        Query(
            alias="doctor_id",
            max_length=DOCTORS_MAX,
            description="only these doctors; default all active ones, and those who still have visits in the "
            "period",
        ),
    ] = None,
    starts_on: Annotated[
        Date | None, Query(alias="from", description="first date, local to each doctor; default today")
    ] = None,
    ends_on: Annotated[
        Date | None, Query(alias="to", description="last date, inclusive; default the same as `from`")
    ] = None,
    cursor: Cursor = None,
) -> Response:
    """Staff only. Sorted by name, at most 50 doctors, at most 31 days (62 of a single doctor).

    All is as it was at one moment. To go on from it, open `/v1/staff/events` with `event_id` as
    `Last-Event-ID`: that brings every event that the answer does not contain, and none that it does. The
    events of a doctor come in order. Those of an appointment that moved to another doctor may not: take them
    in the order of `version`, and a version that is known already as nothing new.

    Each page is of a moment of its own, with its own `event_id`, and may have fewer doctors than fit.
    """
    app = resources(request)
    first = starts_on or clock.now().astimezone(ZoneInfo(app.settings.time_zone)).date()
    last = ends_on or first
    wanted = tuple(dict.fromkeys(doctor_ids or ()))
    check_period(first, last, DAYS_MAX if len(wanted) == 1 else DAYS_OF_MANY_MAX)
    async with snapshot(app.pool) as connection:
        event_id = await read_end(connection)
        if wanted:
            doctors, next_cursor = await _named(connection, doctor_ids or [], cursor), None
        else:
            doctors, next_cursor = await _page(connection, first, last, cursor)
        calendars = await read_calendars(connection, doctors, first, last)
    if not wanted:
        calendars = [calendar for calendar in calendars if calendar.doctor.active or calendar.has_visits]
    computed = await compute_calendars(request, calendars, named=True)
    app.security.offer_book_read(
        request,
        caller,
        "calendars",
        patient_ids=chain.from_iterable(item.patient_ids for item in computed),
        doctor_id=wanted[0] if len(wanted) == 1 else None,
    )
    head = to_json({"from": first, "to": last, "event_id": str(event_id), "next_cursor": next_cursor})
    body = head[:-1] + b',"items":[' + b",".join(item.body for item in computed) + b"]}"
    return Response(body, media_type="application/json")


async def _named(connection: Connection, doctor_ids: list[UUID], cursor: str | None) -> list[Doctor]:
    if cursor is not None:
        raise bad_cursor()  # all of them are on one page
    doctors = [doctor_from_row(row) for row in await connection.fetch(SQL["named"], doctor_ids)]
    known = {doctor.id for doctor in doctors}
    unknown = [
        {
            "pointer": f"/doctor_id/{number}",
            "code": str(Reason.UNKNOWN_DOCTOR),
            "detail": DETAILS[Reason.UNKNOWN_DOCTOR],
        }
        for number, doctor_id in enumerate(doctor_ids)
        if doctor_id not in known
    ]
    if unknown:
        raise Problem(Code.INVALID_FIELDS, "Some doctors are not known.", unknown[:ERRORS_MAX])
    return doctors


async def _page(
    connection: Connection, first: date, last: date, cursor: str | None
) -> tuple[list[Doctor], str | None]:
    """Doctors who may have to be shown, and the cursor of the next page."""
    name, id_ = doctor_before(cursor)
    starts = datetime.combine(first, time.min, UTC) - MARGIN
    ends = datetime.combine(last, time.max, UTC) + MARGIN
    rows = await connection.fetch(SQL["page"], name, id_, starts, ends, DOCTORS_MAX + 1)
    doctors = [doctor_from_row(row) for row in rows[:DOCTORS_MAX]]
    return doctors, after_doctor(doctors[-1]) if len(rows) > DOCTORS_MAX else None
