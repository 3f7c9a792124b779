"""Steps that change a book, as small values that read well when they are printed.

Doctors, patients, appointments and time off are numbers (modulo those that exist); times are multiples of
five minutes from the scene's base, mostly close together, so that most steps conflict.
"""

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
    """The time of it all: around `base`, UTC."""

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
    """Of the doctor who has it, or of the next one."""

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
    """`actor` may also be OWNER, the patient of the appointment."""

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
    """Time passes until an appointment is long over."""

    appointment: int


@dataclass(frozen=True)
class Repeat:
    """An earlier request with its key: unchanged, or with another body."""

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
