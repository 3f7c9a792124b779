"""A doctor's free slots day by day, computed in steps so that the event loop can serve others in between."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from contracts.doctors import VisitType
from contracts.refusals import Reason
from ingress.http.views import local
from scheduling.opening_hours import Interval, days
from scheduling.slots import check_notice, is_free, slot_grid, visit_at
from scheduling.state import Doctor, OccupiedTimes

# One step takes about a millisecond.
STARTS_PER_STEP = 50
# An answer ends with the day that reaches this many starts on the grid: 62 days of 24 hours every 15 minutes.
STARTS_MAX = 6_000
# No visit with its buffers is longer, and no zone is further from UTC.
MARGIN = timedelta(days=2)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SAME_ID = UUID(int=0)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


class OccupiedList:
    """A doctor's occupied times in order, as microseconds since 1970. They do not overlap."""

    def __init__(self, starts: list[int], ends: list[int]) -> None:
        self._starts, self._ends = starts, ends

    def near(self, day: date) -> tuple[tuple[int, int], ...]:
        """The times that visits on a local date could touch, in any time zone."""
        midnight = datetime.combine(day, time.min, UTC)
        first = bisect_right(self._ends, (midnight - MARGIN - _EPOCH) // _MICROSECOND)
        last = bisect_left(self._starts, (midnight + timedelta(days=1) + MARGIN - _EPOCH) // _MICROSECOND)
        return tuple(zip(self._starts[first:last], self._ends[first:last], strict=True))


@dataclass(frozen=True, slots=True)
class Day:
    """The JSON of a day, right until `good_until` while the doctor and the `occupied` times stay the same.

    `starts` is the number of starts on the grid, free or not.
    """

    body: bytes
    starts: int
    occupied: tuple[tuple[int, int], ...]
    good_until: datetime


class Days(NamedTuple):
    """The JSON of consecutive days up to `ends_on`."""

    ends_on: date
    bodies: list[bytes]
    good_until: datetime


@dataclass(frozen=True, slots=True)
class KnownDays:
    """Days of one doctor, as defined now, and one visit type, which were computed before."""

    get: Callable[[date], Day | None]
    put: Callable[[date, Day], None]


def compute_days(
    doctor: Doctor,
    visit_type: VisitType,
    starts_on: date,
    ends_on: date,
    occupied: OccupiedList,
    known: KnownDays,
    now: datetime,
) -> Generator[None, None, Days]:
    """The free slots of each day, both dates inclusive; fewer days where they have more than `STARTS_MAX`.

    Yields after each step; days that are over or beyond the horizon take none. The result is the generator's
    return value.
    """
    bodies: list[bytes] = []
    good_until, starts = _FOR_EVER, 0
    for day in days(starts_on, ends_on):
        computed = _out_of_reach(doctor, day, now)
        if computed is None:
            near = occupied.near(day)
            computed = known.get(day)
            if computed is None or computed.occupied != near or now >= computed.good_until:
                computed = yield from _compute_day(doctor, visit_type, day, near, now)
                known.put(day, computed)
                yield
        bodies.append(computed.body)
        good_until = min(good_until, computed.good_until)
        starts += computed.starts
        if starts >= STARTS_MAX:
            return Days(day, bodies, good_until)
    return Days(ends_on, bodies, good_until)


def _out_of_reach(doctor: Doctor, day: date, now: datetime) -> Day | None:
    """A day without slots, as it is over in every zone or beyond the horizon in every zone; else None."""
    begins = datetime.combine(day, time.min, UTC)
    reached_at = begins - MARGIN - timedelta(days=doctor.policy.horizon_days)
    if reached_at <= now <= begins + timedelta(days=1) + MARGIN:
        return None
    body = to_json({"date": day.isoformat(), "slots": ()})
    return Day(body, 0, (), reached_at if now < reached_at else _FOR_EVER)


def _compute_day(
    doctor: Doctor, visit_type: VisitType, day: date, near: tuple[tuple[int, int], ...], now: datetime
) -> Generator[None, None, Day]:
    zone = ZoneInfo(doctor.time_zone)
    occupied = OccupiedTimes()
    for starts, ends in near:
        when = Interval(_EPOCH + starts * _MICROSECOND, _EPOCH + ends * _MICROSECOND)
        occupied.add(when, _SAME_ID)
    grid = slot_grid(doctor, day) if doctor.active else []
    slots = []
    good_until = _FOR_EVER
    for number, starts_at in enumerate(grid, start=1):
        if is_free(doctor, visit_type, starts_at, occupied):
            offered, changes_at = _offered(doctor, starts_at, now)
            if changes_at >= now:
                good_until = min(good_until, changes_at)
            if offered:
                ends_at = visit_at(starts_at, visit_type).ends
                slots.append({"starts_at": local(starts_at, zone), "ends_at": local(ends_at, zone)})
        if number % STARTS_PER_STEP == 0:
            yield
    body = to_json({"date": day.isoformat(), "slots": slots})
    return Day(body, len(grid), near, good_until)


def _offered(doctor: Doctor, starts_at: datetime, now: datetime) -> tuple[bool, datetime]:
    """True if a patient may book the free slot now, and when the clock alone next changes that."""
    match check_notice(doctor, starts_at, now):
        case Reason.TOO_FAR_AHEAD:
            return False, starts_at - timedelta(days=doctor.policy.horizon_days)
        case None if starts_at > now:
            return True, starts_at - timedelta(minutes=doctor.policy.min_notice_minutes)
        case _:
            return False, starts_at
