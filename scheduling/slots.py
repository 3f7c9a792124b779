"""Which starts are slots. What is offered (`free_slots`) and what is accepted (`why_not`) is one rule."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.doctors import VisitType
from contracts.refusals import Reason
from scheduling.calendar import Interval, minutes
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


def why_not(
    doctor: Doctor,
    visit: Interval,
    wanted: Interval,
    occupied: OccupiedTimes,
    moving: UUID | None = None,
) -> Reason | None:
    """Why a visit, which occupies the wanted time, cannot be then, from the doctor's side; None where it can.

    The visit has to lie within one opening; its buffers may reach beyond, but not into another appointment.
    `moving` is the appointment whose own time is not in its way.
    """
    around = _openings_around(doctor, visit)
    if not around:
        return Reason.OUTSIDE_HOURS
    step = minutes(doctor.policy.slot_minutes)
    if all((visit.starts - opening.when.starts) % step != NO_TIME for opening in around):
        return Reason.NOT_A_SLOT
    if any(visit.overlaps(away) for away in around[0].away):
        return Reason.IN_TIME_OFF
    if any(appointment_id != moving for appointment_id in occupied.overlapping(wanted)):
        return Reason.SLOT_TAKEN
    return None


def why_not_now(doctor: Doctor, starts_at: datetime, now: datetime) -> Reason | None:
    """Why a patient may not take that time yet, or not any more."""
    if starts_at < now + minutes(doctor.policy.min_notice_minutes):
        return Reason.TOO_SOON
    if starts_at > now + timedelta(days=doctor.policy.horizon_days):
        return Reason.TOO_FAR_AHEAD
    return None


def free_slots(
    doctor: Doctor, visit_type: VisitType, day: date, occupied: OccupiedTimes
) -> Iterator[datetime]:
    """The starts on a local date that `why_not` accepts, in order."""
    step = minutes(doctor.policy.slot_minutes)
    grid = {
        opening.when.starts + number * step
        for opening in doctor.openings(day)
        for number in range((opening.when.ends - opening.when.starts) // step + 1)
    }
    for starts_at in sorted(grid):
        visit = visit_at(starts_at, visit_type)
        if why_not(doctor, visit, with_buffers(visit, visit_type), occupied) is None:
            yield starts_at


def within_hours(doctor: Doctor, visit: Interval) -> bool:
    """Whether the visit lies within one opening of the weekly hours as they are now."""
    return bool(_openings_around(doctor, visit))


def _openings_around(doctor: Doctor, visit: Interval) -> list[Opening]:
    # Of hours that meet in a wall time that exists twice, both hold the visits between its two instants.
    day = visit.starts.astimezone(ZoneInfo(doctor.time_zone)).date()
    return [
        opening
        for opening in doctor.openings(day)
        if opening.when.starts <= visit.starts and visit.ends <= opening.when.ends
    ]
