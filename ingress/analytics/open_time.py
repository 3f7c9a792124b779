"""The time in which doctors are there for visits: within their weekly hours, without time off."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from operator import attrgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from scheduling.opening_hours import Interval, days, openings, without
from scheduling.state import Doctor

# One step takes a millisecond, less where the same hours were computed before.
DAYS_PER_STEP = 50

OpenTime = Mapping[tuple[UUID, int], timedelta]
"""By doctor and number of the part, from 0. What is not there was not open."""

_STARTS, _ENDS = attrgetter("starts"), attrgetter("ends")


def open_time(doctors: Iterable[Doctor], parts: Sequence[Interval]) -> Generator[None, None, OpenTime]:
    """The open time of each doctor in each part of a period; parts follow each other without gaps.

    A day's hours are in the doctor's time zone, and count to the parts that they lie in. Yields after each
    step. The result is the generator's return value.
    """
    found: defaultdict[tuple[UUID, int], timedelta] = defaultdict(timedelta)
    period = Interval(parts[0].starts, parts[-1].ends)
    for doctor in doctors:
        zone = ZoneInfo(doctor.time_zone)
        time_off = _joined(entry.when for entry in doctor.time_off if entry.when.overlaps(period))
        # Where clocks go back at midnight, the hours of a day may end when those of the next have begun: what
        # both have counts once.
        counted = period.starts
        first = period.starts.astimezone(zone).date() - timedelta(days=1)
        last = period.ends.astimezone(zone).date()
        for number, day in enumerate(days(first, last)):
            if number % DAYS_PER_STEP == 0:
                yield
            for opening in openings(doctor.hours, doctor.time_zone, day):
                left = Interval(max(opening.starts, counted), opening.ends)
                counted = max(counted, opening.ends)
                for free in without(left, _near(left, time_off)):
                    for part, shared in _shared(free, parts):
                        found[doctor.id, part] += shared
    return found


def _joined(when: Iterable[Interval]) -> list[Interval]:
    """Time off in order, joined where it overlaps."""
    joined: list[Interval] = []
    for interval in sorted(when):
        if joined and interval.starts <= joined[-1].ends:
            former = joined.pop()
            joined.append(Interval(former.starts, max(former.ends, interval.ends)))
        else:
            joined.append(interval)
    return joined


def _near(opening: Interval, time_off: list[Interval]) -> list[Interval]:
    first = bisect_right(time_off, opening.starts, key=_ENDS)
    return time_off[first : bisect_left(time_off, opening.ends, key=_STARTS)]


def _shared(free: Interval, parts: Sequence[Interval]) -> Iterator[tuple[int, timedelta]]:
    """The numbers of the parts that the free time lies in, and how much of it."""
    first = bisect_right(parts, free.starts, key=_ENDS)
    for number in range(first, bisect_left(parts, free.ends, key=_STARTS)):
        part = parts[number]
        yield number, min(free.ends, part.ends) - max(free.starts, part.starts)
