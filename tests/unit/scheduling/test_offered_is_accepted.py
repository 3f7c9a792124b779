"""For every schedule, around every clock change: exactly the slots that are offered are accepted."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.events import AppointmentBooked, Fact
from contracts.refusals import Refusal
from scheduling.decide import decide
from scheduling.opening_hours import Interval
from tests.unit.scheduling.asked import book
from tests.unit.scheduling.clinic import BY_STAFF
from tests.unit.scheduling.schedules import Schedule, schedules

SOMEONE = UUID(int=99)
LONG_BEFORE = timedelta(days=2)
MINUTE = timedelta(minutes=1)


def asked_by_staff(schedule: Schedule, start: datetime) -> list[Fact] | Refusal:
    """A booking by staff, long before, for a patient without other appointments."""
    command = book(start, schedule.visit_type, by=BY_STAFF, patient=SOMEONE, appointment=SOMEONE)
    return decide(schedule.book, command, start - LONG_BEFORE)


@settings(max_examples=300, deadline=None)
@given(schedule=schedules())
def test_every_slot_that_is_offered_is_accepted(schedule: Schedule) -> None:
    for start in schedule.offered():
        outcome = asked_by_staff(schedule, start)
        assert not isinstance(outcome, Refusal), f"{start} was offered: {outcome.reason}"
        (fact,) = outcome
        assert isinstance(fact, AppointmentBooked)
        assert fact.starts_at == start


@settings(max_examples=300, deadline=None)
@given(schedule=schedules(), data=some.data())
def test_every_start_of_the_day_that_is_not_offered_is_refused(
    schedule: Schedule, data: some.DataObject
) -> None:
    offered = set(schedule.offered())
    first, last = schedule.instants()
    zone = ZoneInfo(schedule.doctor.time_zone)
    minutes = some.integers(0, int((last - first) / MINUTE))
    tried = {first + number * MINUTE for number in data.draw(some.sets(minutes, min_size=10, max_size=30))}
    step = timedelta(minutes=schedule.doctor.policy.slot_minutes)
    tried |= {start + away for start in offered for away in (-step, step, -MINUTE, MINUTE)}
    tried |= {opening.starts for opening in schedule.openings()}

    for start in tried - offered:
        if start.astimezone(zone).date() == schedule.day:
            assert isinstance(asked_by_staff(schedule, start), Refusal), f"{start} was not offered"


@settings(max_examples=300, deadline=None)
@given(schedule=schedules())
def test_every_offered_visit_lies_in_the_hours_of_its_day_and_overlaps_nothing(schedule: Schedule) -> None:
    zone = ZoneInfo(schedule.doctor.time_zone)
    taken = [appointment.occupied for appointment in schedule.book.appointments.values()]
    away = [time_off.when for time_off in schedule.doctor.time_off]
    before = timedelta(minutes=schedule.visit_type.buffer_before_minutes)
    after = timedelta(minutes=schedule.visit_type.buffer_after_minutes)

    for start in schedule.offered():
        visit = Interval(start, start + timedelta(minutes=schedule.visit_type.minutes))
        occupied = Interval(visit.starts - before, visit.ends + after)
        assert start.astimezone(zone).date() == schedule.day
        assert schedule.is_open(visit)
        assert not any(occupied.overlaps(interval) for interval in taken)
        assert not any(visit.overlaps(interval) for interval in away)
