"""Schedules for property tests: a doctor in some zone, with hours on a day near a clock change."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as some

from contracts.doctors import Hours, Policy, VisitType
from contracts.events import TimeBlocked
from contracts.fields import DAY_END
from scheduling.evolve import evolve
from scheduling.opening_hours import Interval, openings
from scheduling.slots import free_slots
from scheduling.state import Book, Doctor
from tests.unit.scheduling.clinic import DOCTOR, a_doctor, appointment_id, booked

# Days of clock changes, forward and back, and the day that Apia skipped. Santiago and Nuuk change at
# midnight.
CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2026, 4, 5)),
    "Pacific/Apia": (date(2011, 12, 30), date(2012, 4, 1), date(2012, 9, 30)),
    "America/Santiago": (date(2024, 9, 8), date(2024, 4, 6)),
    "America/Nuuk": (date(2025, 3, 29), date(2025, 10, 25)),
}
HOUR = timedelta(hours=1)
MIDNIGHTS = some.sampled_from([0, 24 * 60])
days_of_change = [(zone, day) for zone, changes in CHANGES.items() for day in changes]
buffers = some.sampled_from([0, 0, 5, 10, 45, 240])
visit_types = some.lists(
    some.builds(
        VisitType,
        code=some.sampled_from(["a", "b", "c"]),
        name=some.just("Visit"),
        minutes=some.integers(5, 150),
        buffer_before_minutes=buffers,
        buffer_after_minutes=buffers,
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda visit_type: visit_type.code,
).map(tuple)
policies = some.builds(
    Policy,
    slot_minutes=some.integers(5, 90),
    min_notice_minutes=some.sampled_from([0, 60, 525_600]),
    horizon_days=some.sampled_from([1, 90, 3_660]),
    change_notice_minutes=some.sampled_from([0, 120, 525_600]),
    max_active_per_patient=some.sampled_from([1, 3, 1_000]),
)


@dataclass(frozen=True)
class Schedule:
    """A book with one doctor, a day, and a visit type."""

    book: Book
    day: date
    visit_type: VisitType

    @property
    def doctor(self) -> Doctor:
        return self.book.doctors[DOCTOR]

    def offered(self) -> list[datetime]:
        return list(free_slots(self.doctor, self.visit_type, self.day, self.book.occupied(DOCTOR)))

    def openings(self) -> list[Interval]:
        """The hours of the day and of those around it, separately."""
        days = [self.day + timedelta(days=number) for number in (-1, 0, 1, 2)]
        return [
            opening for day in days for opening in openings(self.doctor.hours, self.doctor.time_zone, day)
        ]

    def is_open(self, visit: Interval) -> bool:
        """Whether there are hours in every minute of the visit."""
        minutes, openings = range((visit.ends - visit.starts) // timedelta(minutes=1)), self.openings()
        instants = (visit.starts + timedelta(minutes=number) for number in minutes)
        return all(any(opening.starts <= at < opening.ends for opening in openings) for at in instants)

    def instants(self) -> tuple[datetime, datetime]:
        """From before the day begins to after it ends, in any zone's longest day."""
        midnight = datetime.combine(self.day, time(0), ZoneInfo(self.doctor.time_zone)).astimezone(UTC)
        return midnight - 2 * HOUR, midnight + 27 * HOUR


@some.composite
def hours_on(draw: some.DrawFn, weekday: int) -> tuple[Hours, ...]:
    """Several hours of a day, some of them touching; often at night, when the clocks change."""
    minutes = some.integers(0, 24 * 60) | some.integers(0, 4 * 12).map(lambda fives: fives * 5) | MIDNIGHTS
    marks = sorted(draw(some.sets(minutes, min_size=2, max_size=6)))
    between = draw(some.lists(some.booleans(), min_size=len(marks) - 1, max_size=len(marks) - 1))
    return tuple(
        Hours(weekday=weekday, starts=_wall(starts), ends=_wall(ends))
        for (starts, ends), is_open in zip(pairwise(marks), between, strict=True)
        if is_open or len(marks) == 2
    )


def _wall(minutes: int) -> time:
    return DAY_END if minutes == 24 * 60 else time(minutes // 60, minutes % 60)


@some.composite
def schedules(draw: some.DrawFn) -> Schedule:
    """With bookings from the slots offered, and time off at any time."""
    time_zone, change = draw(some.sampled_from(days_of_change))
    day = change + timedelta(days=draw(some.integers(-1, 1)))
    weekdays = [(day + timedelta(days=number)).isoweekday() for number in (-1, 0, 1)]
    kinds = draw(visit_types)
    book = Book()
    doctor = a_doctor(
        hours=tuple(hours for weekday in weekdays for hours in draw(hours_on(weekday))),
        time_zone=time_zone,
        visit_types=kinds,
        policy=draw(policies),
    )
    schedule = Schedule(book, day, kinds[0])
    for fact in doctor:
        evolve(book, fact, datetime(2011, 1, 1, tzinfo=UTC))
    first, last = schedule.instants()
    for number in range(draw(some.integers(0, 4))):
        wanted = draw(some.sampled_from(kinds))
        starts = list(free_slots(schedule.doctor, wanted, day, book.occupied(DOCTOR)))
        if starts:
            start = draw(some.sampled_from(starts))
            patient = UUID(int=number)
            fact_ = booked(start, wanted, patient=patient, appointment=appointment_id(number))
            evolve(book, fact_, first)
    for number in range(draw(some.integers(0, 2))):
        minutes = draw(some.integers(0, int((last - first).total_seconds()) // 60))
        starts_at = first + timedelta(minutes=minutes)
        away = TimeBlocked(
            doctor_id=DOCTOR,
            time_off_id=UUID(int=number),
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=draw(some.integers(1, 600))),
        )
        evolve(book, away, first)
    return schedule
