"""The model's doctors: what they offer, and when by the clock on their wall."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class VisitType:
    code: str
    minutes: int
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0


@dataclass(frozen=True)
class Policy:
    slot_minutes: int = 15
    min_notice_minutes: int = 60
    horizon_days: int = 90
    change_notice_minutes: int = 120
    max_active_per_patient: int = 3


@dataclass(frozen=True)
class Hours:
    weekday: int
    starts: time
    ends: time
    valid_from: date = date.min
    valid_until: date = date.max

    def valid_on(self, day: date) -> bool:
        return self.weekday == day.isoweekday() and self.valid_from <= day <= self.valid_until


@dataclass(frozen=True)
class Doctor:
    time_zone: str
    visit_types: tuple[VisitType, ...]
    policy: Policy
    active: bool = True
    hours: tuple[Hours, ...] = ()
    time_off: dict[str, Span] = field(default_factory=dict)

    def visit_type(self, code: str) -> VisitType | None:
        return next((one for one in self.visit_types if one.code == code), None)

    def openings(self, day: date) -> list[Span]:
        mine = [hours for hours in self.hours if hours.valid_on(day)]
        spans = [(instants(self.time_zone, day, one.starts)[0], one) for one in mine]
        return [(opens, instants(self.time_zone, day, one.ends)[-1]) for opens, one in spans]


@cache
def wall_clock(time_zone: str, day: date) -> list[tuple[datetime, datetime]]:
    """What the clock on the wall shows, minute by minute, around a day: instant and local time."""
    minutes = (datetime.combine(day, time(12), UTC) + number * MINUTE for number in range(-36 * 60, 36 * 60))
    return [(minute, minute.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)) for minute in minutes]


@cache
def instants(time_zone: str, day: date, wall: time) -> list[datetime]:
    """When it shows that: once, twice (autumn), or never (spring): then the first instant after the gap."""
    shown = wall_clock(time_zone, day)
    wanted = datetime.combine(day, wall)
    found = [instant for instant, local in shown if local == wanted]
    return found or [next(instant for instant, local in shown if local > wanted)]


def overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
