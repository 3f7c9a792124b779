"""The model's doctors: their visit types, and their hours in local time."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
# 24:00, which `time` cannot represent.
DAY_END = time.max
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
        return next((visit_type for visit_type in self.visit_types if visit_type.code == code), None)

    def openings(self, day: date) -> list[Span]:
        """The hours of a local date, as given."""
        return [
            (instants(self.time_zone, day, hours.starts)[0], instants(self.time_zone, day, hours.ends)[-1])
            for hours in self.hours
            if hours.valid_on(day)
        ]

    def grid(self, day: date) -> list[datetime]:
        """The instants of that local date at which visits may begin, whether or not a visit fits."""
        step = self.policy.slot_minutes * MINUTE
        return sorted(
            {
                opens + number * step
                for opens, closes in self._openings_around(day)
                for number in range(-((opens - closes) // step))
                if local_date(opens + number * step, self.time_zone) == day
            }
        )

    def why_not_within(self, starts: datetime, ends: datetime) -> str | None:
        """The reason against a visit by the hours. It may span hours that touch."""
        around = self._openings_around(local_date(starts, self.time_zone))
        begun = [opens for opens, closes in around if opens <= starts < closes]
        covered_until = starts
        for opens, closes in around:
            if opens <= covered_until:
                covered_until = max(covered_until, closes)
        if not begun or covered_until < ends:
            return "outside_hours"
        step = self.policy.slot_minutes * MINUTE
        return None if any((starts - opens) % step == timedelta() for opens in begun) else "not_a_slot"

    def _openings_around(self, day: date) -> list[Span]:
        near = [span for number in (-1, 0, 1, 2) for span in self.openings(day + timedelta(number))]
        return sorted((opens, closes) for opens, closes in near if opens < closes)


def local_date(instant: datetime, time_zone: str) -> date:
    return instant.astimezone(ZoneInfo(time_zone)).date()


@cache
def wall_clock(time_zone: str, day: date) -> list[tuple[datetime, datetime]]:
    """The local clock minute by minute around a day: instant and local time."""
    minutes = (datetime.combine(day, time(12), UTC) + number * MINUTE for number in range(-36 * 60, 36 * 60))
    return [(minute, minute.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)) for minute in minutes]


@cache
def instants(time_zone: str, day: date, wall: time) -> list[datetime]:
    """The instants of a local time: one, two (autumn), or the first after the gap (spring).

    24:00 is the minute after the last one of the date.
    """
    shown = wall_clock(time_zone, day)
    if wall == DAY_END:
        return [max(instant for instant, local in shown if local.date() <= day) + MINUTE]
    wanted = datetime.combine(day, wall)
    found = [instant for instant, local in shown if local == wanted]
    return found or [next(instant for instant, local in shown if local > wanted)]


def overlap(first: Span, second: Span) -> bool:
    return first[0] < second[1] and second[0] < first[1]
