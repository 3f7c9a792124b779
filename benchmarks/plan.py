"""Which bookings to make: every one a slot of its own, and a patient who is free then."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from aiokafka.partitioner import murmur2

from contracts.topics import COMMANDS
from infra import clock

SEED = 1
VISIT_TYPE = "visit"
# Within every patient's limit and every doctor's horizon, so that nothing is refused.
POLICY = {
    "min_notice_minutes": 0,
    "horizon_days": 365,
    "change_notice_minutes": 0,
    "max_active_per_patient": 1_000,
}


@dataclass(frozen=True)
class Practice:
    """A kind of doctor: minutes of a visit and of the grid, hours (local, to the hour), weekdays (ISO)."""

    minutes: int
    openings: tuple[tuple[int, int], ...]
    weekdays: tuple[int, ...]
    days: int

    @property
    def visit_types(self) -> list[dict[str, Any]]:
        """For RegisterDoctor."""
        return [{"code": VISIT_TYPE, "name": "Visit", "minutes": self.minutes}]

    @property
    def policy(self) -> dict[str, int]:
        """For RegisterDoctor."""
        return {"slot_minutes": self.minutes, **POLICY}

    @property
    def hours(self) -> list[dict[str, Any]]:
        """For SetWeeklyHours."""
        return [
            {"weekday": weekday, "starts": f"{opens:02}:00", "ends": f"{closes:02}:00"}
            for weekday in self.weekdays
            for opens, closes in self.openings
        ]

    def starts(self, zone: ZoneInfo) -> list[datetime]:
        """All slots of `days` days from tomorrow, shuffled: bookings do not come in the order of visits."""
        today = clock.now().astimezone(zone).date()
        found = [
            datetime.combine(day, time(minute // 60, minute % 60), zone)
            for day in (today + timedelta(days=number) for number in range(1, self.days + 1))
            if day.isoweekday() in self.weekdays
            for opens, closes in self.openings
            for minute in range(60 * opens, 60 * closes, self.minutes)
        ]
        random.Random(SEED).shuffle(found)
        return found


# So many slots that a run cannot use them up: 192 per doctor and day.
BUSY = Practice(minutes=5, openings=((6, 22),), weekdays=(1, 2, 3, 4, 5, 6, 7), days=84)
# As in a clinic: 28 per doctor and working day.
ORDINARY = Practice(minutes=15, openings=((9, 12), (13, 17)), weekdays=(1, 2, 3, 4, 5), days=84)


@dataclass(frozen=True)
class Booking:
    """One to make: indexes of doctor and patient, and the slot."""

    number: int
    doctor: int
    patient: int
    starts_at: datetime


def bookings(starts: Sequence[datetime], doctors: int, patients: int) -> Iterator[Booking]:
    """Bookings until all slots of all doctors are taken.

    One slot's time after the other, in it one doctor after the other, with consecutive patients: no patient
    is in two places at once as long as there are no fewer patients than doctors.
    """
    assert patients >= doctors, "a patient would be in two places at once"
    for number in range(len(starts) * doctors):
        yield Booking(number, number % doctors, number % patients, starts[number // doctors])


def doctor_ids(count: int) -> list[UUID]:
    """Random ids, as evenly over the partitions as can be, the partitions by turns."""
    wanted = -(-count // COMMANDS.partitions)
    by_partition: list[list[UUID]] = [[] for _ in range(COMMANDS.partitions)]
    while any(len(ids) < wanted for ids in by_partition):
        id_ = uuid4()
        by_partition[(murmur2(str(id_).encode()) & 0x7FFFFFFF) % COMMANDS.partitions].append(id_)
    return [ids[turn] for turn in range(wanted) for ids in by_partition][:count]


def next_monday(zone: ZoneInfo) -> date:
    """The first Monday from tomorrow, local."""
    today = clock.now().astimezone(zone).date()
    return today + timedelta(days=8 - today.isoweekday())
