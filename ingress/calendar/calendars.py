"""Calendars of doctors: read in one snapshot, computed in steps."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import Request
from pydantic_core import to_json

from infra.postgres import Connection
from infra.queries import load_queries
from ingress.availability.routes import SlotView
from ingress.booking.reasons import Reasons
from ingress.calendar.views import CalendarAppointment, TimeOffView
from ingress.http.views import View
from ingress.request_limits.steps import in_steps
from ingress.resources import resources
from scheduling.opening_hours import Interval, days, openings, whole_day, without
from scheduling.slots import within_hours
from scheduling.state import Appointment, Book, Doctor, Status
from storage.rows import appointment_from_row

SQL = load_queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Calendar:
    """Local dates of a doctor, both inclusive, and the rows of the appointments in or near them, by start."""

    doctor: Doctor
    first: date
    last: date
    appointments: Sequence[asyncpg.Record]

    @property
    def period(self) -> Interval:
        """All of its dates."""
        return _period(self.doctor, self.first, self.last)

    @property
    def has_visits(self) -> bool:
        """True if it has an appointment in its period that was not cancelled."""
        return any(
            row["status"] != Status.CANCELLED
            and Interval(row["starts_at"], row["ends_at"]).overlaps(self.period)
            for row in self.appointments
        )


class ComputedCalendar(NamedTuple):
    """The JSON of a `CalendarView`, and the patient of each appointment in it."""

    body: bytes
    patient_ids: list[UUID]


@contextlib.asynccontextmanager
async def snapshot(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """A connection whose reads all see the book at one moment: that of the first."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def read_calendars(
    connection: Connection, doctors: Sequence[Doctor], first: date, last: date
) -> list[Calendar]:
    """The calendars of the doctors, in their order."""
    periods = [_period(doctor, first, last) for doctor in doctors]
    rows = await connection.fetch(
        SQL["nearby"],
        [doctor.id for doctor in doctors],
        [period.starts for period in periods],
        [period.ends for period in periods],
    )
    nearby = defaultdict(list)
    for row in rows:
        nearby[row["doctor_id"]].append(row)
    return [Calendar(doctor, first, last, nearby[doctor.id]) for doctor in doctors]


async def compute_calendars(
    request: Request, calendars: Sequence[Calendar], *, named: bool = False
) -> list[ComputedCalendar]:
    """Each calendar, `named` with the doctor's name.

    Raises:
        Problem: 429, the caller's budget is spent.
    """
    app = resources(request)
    reasons = await Reasons.of(app, chain.from_iterable(calendar.appointments for calendar in calendars))
    return await in_steps(request, _compute_all(calendars, reasons, named=named))


def is_outside_hours(doctor: Doctor, appointment: Appointment) -> bool:
    """True if a booked visit does not lie within the doctor's weekly hours."""
    return appointment.status is Status.BOOKED and not within_hours(doctor, appointment.visit)


def _period(doctor: Doctor, first: date, last: date) -> Interval:
    return Interval(whole_day(doctor.time_zone, first).starts, whole_day(doctor.time_zone, last).ends)


def _compute_all(
    calendars: Sequence[Calendar], reasons: Reasons, *, named: bool
) -> Generator[None, None, list[ComputedCalendar]]:
    computed: list[ComputedCalendar] = []
    for calendar in calendars:
        computed += [(yield from _compute(calendar, reasons, named=named))]
    return computed


def _compute(calendar: Calendar, reasons: Reasons, *, named: bool) -> Generator[None, None, ComputedCalendar]:
    doctor, period, zone = calendar.doctor, calendar.period, ZoneInfo(calendar.doctor.time_zone)
    book, appointments, time_off, free, patient_ids = Book(), [], [], [], []
    for row in calendar.appointments:
        appointment = appointment_from_row(row)
        book.put(appointment)
        if appointment.visit.overlaps(period):
            outside_hours = is_outside_hours(doctor, appointment)
            shown = CalendarAppointment(**reasons.opened(row), outside_hours=outside_hours)
            appointments.append(_json(shown, zone))
            patient_ids.append(appointment.patient_id)
        yield
    away = [entry for entry in doctor.time_off if entry.when.overlaps(period)]
    for entry in away:
        note = reasons.keys.open_note(entry.note, entry.id)
        starts_at, ends_at = entry.when
        time_off.append(
            _json(TimeOffView(id=entry.id, starts_at=starts_at, ends_at=ends_at, note=note), zone)
        )
        yield
    for day in days(calendar.first, calendar.last):
        for opening in openings(doctor.hours, doctor.time_zone, day):
            visits = book.occupied(doctor.id).overlapping(opening)
            taken = [book.appointments[id_].occupied for id_ in visits] + [entry.when for entry in away]
            free += [
                _json(SlotView(starts_at=starts_at, ends_at=ends_at), zone)
                for starts_at, ends_at in without(opening, taken)
            ]
        yield
    whole = {
        "doctor_id": doctor.id,
        "time_zone": doctor.time_zone,
        "appointments": appointments,
        "time_off": time_off,
        "free": free,
        **({"name": doctor.name} if named else {}),
    }
    return ComputedCalendar(to_json(whole), patient_ids)


def _json(view: View, zone: ZoneInfo) -> dict[str, Any]:
    return view.model_dump(mode="json", context=zone)
