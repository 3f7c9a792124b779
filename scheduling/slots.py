"""Slots. One rule decides which are offered (`free_slots`) and which are accepted (`check_visit`)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.doctors import VisitType
from contracts.refusals import Reason
from scheduling.opening_hours import Interval, minutes
from scheduling.state import Doctor, OccupiedTimes, Opening

NO_TIME = timedelta(0)


def visit_at(starts_at: datetime, visit_type: VisitType) -> Interval:
    """The visit itself."""
    return Interval(starts_at, starts_at + minutes(visit_type.minutes))


def with_buffers(visit: Interval, visit_type: VisitType) -> Interval:
    """The time that a visit occupies."""
    return Interval(
        visit.starts - minutes(visit_type.buffer_before_minutes),
        visit.ends + minutes(visit_type.buffer_after_minutes),
    )


def check_visit(
    doctor: Doctor,
    visit: Interval,
    wanted: Interval,
    occupied: OccupiedTimes,
    moving: UUID | None = None,
) -> Reason | None:
    """The reason why the doctor cannot see a visit that occupies the wanted time; None where the doctor can.

    The visit has to lie within the hours, joined where they touch. Its buffers may extend beyond the hours,
    but not into another appointment. `moving` is the appointment to move, whose own time does not conflict.
    """
    around = _openings_around(doctor, visit)
    if not around:
        return Reason.OUTSIDE_HOURS
    step = minutes(doctor.policy.slot_minutes)
    if all((visit.starts - opening.when.starts) % step != NO_TIME for opening in around):
        return Reason.NOT_A_SLOT
    if any(visit.overlaps(off) for off in around[0].time_off):
        return Reason.IN_TIME_OFF
    if any(appointment_id != moving for appointment_id in occupied.overlapping(wanted)):
        return Reason.SLOT_TAKEN
    return None


def check_notice(doctor: Doctor, starts_at: datetime, now: datetime) -> Reason | None:
    """The reason why it is too early or too late for a patient to take that time; None if it is allowed."""
    if starts_at < now + minutes(doctor.policy.min_notice_minutes):
        return Reason.TOO_SOON
    if starts_at > now + timedelta(days=doctor.policy.horizon_days):
        return Reason.TOO_FAR_AHEAD
    return None


def free_slots(
    doctor: Doctor, visit_type: VisitType, day: date, occupied: OccupiedTimes
) -> Iterator[datetime]:
    """The starts on a local date that `check_visit` accepts, in order."""
    return (
        starts_at for starts_at in slot_grid(doctor, day) if is_free(doctor, visit_type, starts_at, occupied)
    )


def slot_grid(doctor: Doctor, day: date) -> list[datetime]:
    """The starts on a local date by hours and booking grid alone, in order."""
    step, zone = minutes(doctor.policy.slot_minutes), ZoneInfo(doctor.time_zone)
    grid = set()
    for opening in doctor.openings(day):
        starts_at = opening.when.starts
        while starts_at < opening.when.ends:
            grid.add(starts_at)
            starts_at += step
    return sorted(starts_at for starts_at in grid if starts_at.astimezone(zone).date() == day)


def is_free(doctor: Doctor, visit_type: VisitType, starts_at: datetime, occupied: OccupiedTimes) -> bool:
    """True if the doctor is free for a visit of that type at that time."""
    visit = visit_at(starts_at, visit_type)
    return check_visit(doctor, visit, with_buffers(visit, visit_type), occupied) is None


def within_hours(doctor: Doctor, visit: Interval) -> bool:
    """True if the visit lies within the current weekly hours."""
    return bool(_openings_around(doctor, visit))


def _openings_around(doctor: Doctor, visit: Interval) -> list[Opening]:
    # Where two hours meet at a wall time that occurs twice, both contain the visits between its occurrences.
    day = visit.starts.astimezone(ZoneInfo(doctor.time_zone)).date()
    return [
        opening
        for opening in doctor.openings(day)
        if opening.when.starts <= visit.starts < opening.when.ends and visit.ends <= opening.closes
    ]
