"""`GET /v1/doctors/{id}/calendar`: a doctor's days for staff: appointments, time off, free time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from contracts.fields import Date, Model
from infra import clock
from ingress.availability import check_period
from ingress.callers import AuthenticatedRoute, Staff
from ingress.doctor_reads import find_doctor
from ingress.openapi import answers
from ingress.paths import PathId
from ingress.problems import Code
from ingress.resources import Resources, resources
from ingress.views import AppointmentView, SlotView, local
from scheduling.calendar import Interval, days, without
from scheduling.rows import appointment_from_row
from scheduling.slots import within_hours
from scheduling.state import Appointment, Doctor, Status

DEFAULT_DAYS = 7

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])


class CalendarAppointment(AppointmentView):
    """An appointment; `outside_hours` if it no longer lies within the doctor's weekly hours."""

    outside_hours: bool


class TimeOffView(Model):
    """When the doctor is away."""

    id: UUID
    starts_at: str
    ends_at: str
    note: str | None


class CalendarView(Model):
    """A doctor's calendar. `free` is within the hours, not in time off and not taken by an appointment."""

    doctor_id: UUID
    time_zone: str
    appointments: list[CalendarAppointment]
    time_off: list[TimeOffView]
    free: list[SlotView]


@router.get(
    "/v1/doctors/{doctor_id}/calendar",
    response_model=CalendarView,
    summary="A doctor's calendar",
    responses=answers(Code.FORBIDDEN, Code.NOT_FOUND, Code.INVALID_FIELDS),
)
async def get_calendar(
    request: Request,
    caller: Staff,
    doctor_id: PathId,
    starts_on: Annotated[Date | None, Query(alias="from", description="first local date; today")] = None,
    ends_on: Annotated[Date | None, Query(alias="to", description="last local date, inclusive")] = None,
) -> Response:
    """Staff only; at most 62 days, a week from today if not said."""
    here = resources(request)
    doctor = await find_doctor(here, doctor_id)
    zone = ZoneInfo(doctor.time_zone)
    first = starts_on or clock.now().astimezone(zone).date()
    last = ends_on or first + timedelta(days=DEFAULT_DAYS - 1)
    check_period(first, last)
    period = Interval(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))
    nearby = await _appointments(here, doctor_id, period)
    view = CalendarView(
        doctor_id=doctor.id,
        time_zone=doctor.time_zone,
        appointments=[
            _flagged(doctor, appointment, zone)
            for appointment in nearby
            if appointment.visit.overlaps(period)
        ],
        time_off=_time_off(here, doctor, period, zone),
        free=[
            SlotView(starts_at=local(free.starts, zone), ends_at=local(free.ends, zone))
            for free in _free(doctor, nearby, first, last)
        ],
    )
    headers = {"Cache-Control": "no-store"}
    return Response(view.model_dump_json(), headers=headers, media_type="application/json")


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


async def _appointments(here: Resources, doctor_id: UUID, period: Interval) -> list[Appointment]:
    # Buffers, too: those of a visit before midnight may reach into the hours after it.
    rows = await here.pool.fetch(
        """
        SELECT * FROM booking.appointments
        WHERE doctor_id = $1 AND occupied && tstzrange($2, $3)
            AND starts_at > $2 - interval '1 day' AND starts_at < $3 + interval '1 day'
        ORDER BY starts_at, id
        """,
        *(doctor_id, period.starts, period.ends),
    )
    return [appointment_from_row(row) for row in rows]


def _flagged(doctor: Doctor, appointment: Appointment, zone: ZoneInfo) -> CalendarAppointment:
    outside = appointment.status is Status.BOOKED and not within_hours(doctor, appointment.visit)
    view = AppointmentView.of(appointment, zone)
    return CalendarAppointment(**view.model_dump(), outside_hours=outside)


def _time_off(here: Resources, doctor: Doctor, period: Interval, zone: ZoneInfo) -> list[TimeOffView]:
    return [
        TimeOffView(
            id=away.id,
            starts_at=local(away.when.starts, zone),
            ends_at=local(away.when.ends, zone),
            note=here.keys.open_note(away.note),
        )
        for away in doctor.time_off
        if away.when.overlaps(period)
    ]


def _free(doctor: Doctor, appointments: list[Appointment], first: date, last: date) -> list[Interval]:
    occupied = [one.occupied for one in appointments if one.status is Status.BOOKED]
    return [
        free
        for day in days(first, last)
        for opening in doctor.openings(day)
        for free in without(opening.when, [*opening.away, *occupied])
    ]
