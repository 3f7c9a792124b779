"""`GET /v1/doctors/{id}/calendar`: appointments, time off and free time of a doctor, for staff."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from contracts.fields import Date
from infra import clock
from infra.queries import load_queries
from ingress.availability.routes import SlotView, check_period
from ingress.booking.reasons import with_reasons
from ingress.booking.views import AppointmentView
from ingress.doctors.reads import find_doctor
from ingress.http.auth import AuthenticatedRoute, Staff
from ingress.http.parameters import PathId
from ingress.http.problems import Code
from ingress.http.views import View, ZonedInstant, answer
from ingress.openapi.responses import answers
from ingress.resources import Resources, resources
from scheduling.opening_hours import Interval, days, openings, without
from scheduling.slots import within_hours
from scheduling.state import Appointment, Doctor, Status
from storage.rows import appointment_from_row

DEFAULT_DAYS = 7

router = APIRouter(route_class=AuthenticatedRoute, tags=["staff"])
_SQL = load_queries(Path(__file__).with_name("queries.sql"))


class CalendarAppointment(AppointmentView):
    """An appointment; `outside_hours` if it is no longer within the doctor's weekly hours."""

    outside_hours: bool


class TimeOffView(View):
    """A time when the doctor is unavailable."""

    id: UUID
    starts_at: ZonedInstant
    ends_at: ZonedInstant
    note: str | None


class CalendarView(View):
    """A doctor's calendar. `free` is time within the weekly hours without time off or appointments."""

    doctor_id: UUID
    time_zone: str
    appointments: list[CalendarAppointment]
    time_off: list[TimeOffView]
    free: list[SlotView]


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
    doctor = await find_doctor(app, doctor_id)
    zone = ZoneInfo(doctor.time_zone)
    first = starts_on or clock.now().astimezone(zone).date()
    last = ends_on or first + timedelta(days=DEFAULT_DAYS - 1)
    check_period(first, last)
    period = Interval(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))
    rows = await app.pool.fetch(_SQL["appointments_nearby"], doctor_id, period.starts, period.ends)
    nearby = [appointment_from_row(row) for row in rows]
    view = CalendarView(
        doctor_id=doctor.id,
        time_zone=doctor.time_zone,
        appointments=[
            CalendarAppointment(**row, outside_hours=_is_outside_hours(doctor, appointment))
            for row, appointment in zip(await with_reasons(app, rows), nearby, strict=True)
            if appointment.visit.overlaps(period)
        ],
        time_off=_time_off(app, doctor, period),
        free=[
            SlotView(starts_at=free.starts, ends_at=free.ends) for free in _free(doctor, nearby, first, last)
        ],
    )
    shown = (appointment.patient_id for appointment in view.appointments)
    app.security.offer_book_read(request, caller, "calendar", patient_ids=shown, doctor_id=doctor.id)
    return answer(view, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _is_outside_hours(doctor: Doctor, appointment: Appointment) -> bool:
    return appointment.status is Status.BOOKED and not within_hours(doctor, appointment.visit)


def _time_off(app: Resources, doctor: Doctor, period: Interval) -> list[TimeOffView]:
    return [
        TimeOffView(
            id=time_off.id,
            starts_at=time_off.when.starts,
            ends_at=time_off.when.ends,
            note=app.keys.open_note(time_off.note, time_off.id),
        )
        for time_off in doctor.time_off
        if time_off.when.overlaps(period)
    ]


def _free(doctor: Doctor, appointments: list[Appointment], first: date, last: date) -> list[Interval]:
    taken = [appointment.occupied for appointment in appointments if appointment.status is Status.BOOKED]
    taken += [time_off.when for time_off in doctor.time_off]
    return [
        free
        for day in days(first, last)
        for opening in openings(doctor.hours, doctor.time_zone, day)
        for free in without(opening, taken)
    ]
