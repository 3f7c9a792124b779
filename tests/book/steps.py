"""What can happen to a book, as small values that read well when they are printed.

Doctors, patients, appointments and time off are numbers (of those there are, by turns); times are multiples
of five minutes from where the scene is, mostly close together, so that most things are in each other's way.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra import clock

ZONES = ("Europe/Berlin", "America/New_York")
STAFF = -1
OWNER = -2
PATIENTS = 2
DOCTORS = 3
GRID = timedelta(minutes=5)
VISIT_TYPES = {
    "plain": {"minutes": 30},
    "long": {"minutes": 60, "buffer_after_minutes": 15},
    "buffered": {"minutes": 20, "buffer_before_minutes": 10, "buffer_after_minutes": 25},
}


@dataclass(frozen=True)
class Scene:
    """Where in time it all happens: around `base`, UTC."""

    name: str
    base: datetime

    def at(self, when: "When") -> datetime:
        return self.base + timedelta(days=when.days) + when.number * GRID


@dataclass(frozen=True)
class When:
    number: int
    days: int = 0


@dataclass(frozen=True)
class Opening:
    """Hours from `starts` for `length` half hours, relative to the scene; `valid` are days around it."""

    starts: int
    length: int
    every_day: bool = True
    valid: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class Register:
    doctor: int
    time_zone: str
    visit_types: tuple[str, ...]
    policy: dict[str, int]


@dataclass(frozen=True)
class Update:
    doctor: int
    changes: dict[str, Any]


@dataclass(frozen=True)
class SetHours:
    doctor: int
    openings: tuple[Opening, ...]


@dataclass(frozen=True)
class Block:
    doctor: int
    starts: When
    length: int
    cancel_conflicting: bool


@dataclass(frozen=True)
class Unblock:
    """Of the doctor whose it is, or of the next one."""

    time_off: int
    of_another: bool


@dataclass(frozen=True)
class Book:
    """`actor` is a patient's number, or STAFF, who books for `patient`."""

    actor: int
    patient: int
    doctor: int
    visit_type: str
    starts: When


@dataclass(frozen=True)
class Reschedule:
    """`actor` may also be OWNER, whosever the appointment is."""

    actor: int
    appointment: int
    starts: When
    doctor: int | None
    visit_type: str | None


@dataclass(frozen=True)
class Cancel:
    actor: int
    appointment: int
    with_reason: bool


@dataclass(frozen=True)
class RecordOutcome:
    appointment: int
    outcome: str


@dataclass(frozen=True)
class TimePasses:
    """Until an appointment is long over."""

    appointment: int


@dataclass(frozen=True)
class Repeat:
    """A request from before, with its key: as it was, or asking something else."""

    request: int
    other_body: bool


Step = (
    Register
    | Update
    | SetHours
    | Block
    | Unblock
    | Book
    | Reschedule
    | Cancel
    | RecordOutcome
    | TimePasses
    | Repeat
)


def scenes() -> list[Scene]:
    """The day after tomorrow, and the nights in which the clocks change."""
    soon = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    found = [Scene("soon", soon.replace(hour=13))]
    for zone in ZONES:
        for forward in (True, False):
            change = _change_of_clocks(ZoneInfo(zone), soon, forward)
            name = f"{zone}, {'spring' if forward else 'autumn'}"
            found.append(Scene(name, change - timedelta(hours=2)))
    return found


def _change_of_clocks(zone: ZoneInfo, after: datetime, forward: bool) -> datetime:
    hours = (after + timedelta(hours=number) for number in range(24 * 366))
    before = after.astimezone(zone).utcoffset()
    for hour in hours:
        offset = hour.astimezone(zone).utcoffset()
        assert offset is not None
        assert before is not None
        if offset != before and (offset > before) is forward:
            return hour
        before = offset
    raise AssertionError(f"the clocks of {zone} do not change")


class Chance:
    """Steps made by chance; the same number makes the same step."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)
        self._pick = self._random.choice

    def step(self) -> Step:
        """One of any kind; bookings most often."""
        [make] = self._random.choices([make for _, make in OFTEN], [times for times, _ in OFTEN])
        return make(self)

    def book(self) -> Step:
        actor, patient = self._pick((0, 0, 0, 1, 1, 1, STAFF)), self._pick(range(PATIENTS))
        return Book(actor, patient, self._doctor(), self._code(), self._when())

    def reschedule(self) -> Step:
        to = self._pick((None, None, self._doctor()))
        code = self._pick((None, None, self._code()))
        return Reschedule(self._owner(), self._number(), self._when(), to, code)

    def cancel(self) -> Step:
        return Cancel(self._owner(), self._number(), self._pick((True, False)))

    def record_outcome(self) -> Step:
        return RecordOutcome(self._number(), self._pick(("completed", "no_show")))

    def time_passes(self) -> Step:
        return TimePasses(self._number())

    def block(self) -> Step:
        return Block(self._doctor(), self._when(), self._pick(range(1, 8)), self._pick((True, False, False)))

    def unblock(self) -> Step:
        return Unblock(self._number(), self._pick((True, False, False)))

    def set_hours(self, doctor: int | None = None, wide: bool = False) -> Step:
        doctor = self._doctor() if doctor is None else doctor
        if wide or self._pick((True, True, False)):
            return SetHours(doctor, self._all_day())
        return SetHours(doctor, tuple(self._opening() for _ in range(self._pick((1, 2, 3)))))

    def _all_day(self) -> tuple[Opening, ...]:
        starts, ends = self._pick((-2, -1, -1, 0)), self._pick(range(8, 12))
        # There on the scene's day, and perhaps not on those around it.
        valid = self._pick(((None, None), (None, None), (None, 0), (0, None), (0, 0)))
        # Two openings that meet; in some scenes where the clocks change.
        noon = self._pick((None, 2, 3, 4, 5, 6))
        if noon is None:
            return (Opening(starts, ends - starts, valid=valid),)
        return (Opening(starts, noon - starts, valid=valid), Opening(noon, ends - noon, valid=valid))

    def update(self) -> Step:
        policy = self._policy()
        name = self._pick(tuple(policy))
        changes = (
            {"policy": {name: policy[name]}},
            {"active": self._pick((True, True, False))},
            {"visit_types": self._codes()},
            {"time_zone": self._pick(ZONES)},
        )
        return Update(self._doctor(), self._pick(changes))

    def register(self, doctor: int | None = None) -> Step:
        doctor = self._doctor() if doctor is None else doctor
        return Register(doctor, ZONES[doctor % 2], self._codes(), self._policy())

    def repeat(self) -> Step:
        return Repeat(self._number(), self._pick((True, False)))

    def _number(self) -> int:
        return self._pick(range(8))

    def _doctor(self) -> int:
        return self._pick((0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2))

    def _owner(self) -> int:
        return self._pick((OWNER, OWNER, OWNER, OWNER, STAFF, STAFF, 0, 1))

    def _code(self) -> str:
        return self._pick(("buffered", "buffered", "buffered", "buffered", "plain", "plain", "long"))

    def _codes(self) -> tuple[str, ...]:
        return self._pick((("buffered", "plain", "long"),) * 4 + (("plain", "buffered"), ("buffered",)))

    def _when(self) -> When:
        on_the_grid = tuple(range(0, 42, 3)) * 3
        return When(
            self._pick((*on_the_grid, *range(-12, 60, 5))), self._pick((0,) * 20 + (1, 1, -1, -1, -7))
        )

    def _opening(self) -> Opening:
        valid = self._pick(((None, None),) * 4 + ((None, -1), (0, None), (0, 0), (1, None), (None, 1)))
        return Opening(self._pick(range(-2, 6)), self._pick(range(1, 10)), self._pick((True, False)), valid)

    def _policy(self) -> dict[str, int]:
        return {
            "slot_minutes": self._pick((15, 15, 15, 5, 20)),
            "min_notice_minutes": self._pick((0, 0, 0, 60, 5_000)),
            "horizon_days": self._pick((3_660, 3_660, 3_660, 3_660, 1)),
            "change_notice_minutes": self._pick((0, 0, 0, 120, 5_000)),
            "max_active_per_patient": self._pick((3, 3, 3, 2, 1)),
        }


OFTEN: list[tuple[int, Callable[[Chance], Step]]] = [
    (22, Chance.book),
    (9, Chance.reschedule),
    (4, Chance.cancel),
    (3, Chance.record_outcome),
    (3, Chance.time_passes),
    (3, Chance.block),
    (2, Chance.unblock),
    (2, Chance.set_hours),
    (2, Chance.update),
    (1, Chance.register),
    (3, Chance.repeat),
]


def two_doctors(number: int) -> list[Step]:
    """One in each zone, there around the scene."""
    chance = Chance(number)
    return [
        step
        for doctor in range(len(ZONES))
        for step in (chance.register(doctor), chance.set_hours(doctor, wide=True))
    ]
