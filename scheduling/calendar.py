"""Local hours to instants: when a doctor is there on a given day, through every change of the clocks.

A wall time that does not exist (spring) becomes the first instant after the gap. One that exists twice
(autumn) is taken the first time where hours begin and the second time where they end.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.doctors import Hours

_SECOND = timedelta(seconds=1)


@cache
def minutes(count: int) -> timedelta:
    """So many minutes; made once, as the same few are asked for all the time."""
    return timedelta(minutes=count)


class Interval(NamedTuple):
    """From `starts` until just before `ends`, both UTC."""

    starts: datetime
    ends: datetime

    def overlaps(self, other: "Interval") -> bool:
        """Whether they share time; touching is not sharing."""
        return self.starts < other.ends and other.starts < self.ends


def openings(hours: tuple[Hours, ...], time_zone: str, day: date) -> tuple[Interval, ...]:
    """When the hours open the doctor's door on a local date, in order."""
    weekday = day.isoweekday()
    found = [
        _interval(day, entry.starts, entry.ends, time_zone)
        for entry in hours
        if entry.weekday == weekday
        and (entry.valid_from is None or entry.valid_from <= day)
        and (entry.valid_until is None or day <= entry.valid_until)
    ]
    # Hours that lie in a gap altogether are no time at all.
    return tuple(sorted(interval for interval in found if interval.starts < interval.ends))


@lru_cache(maxsize=65_536)
def _interval(day: date, starts: time, ends: time, time_zone: str) -> Interval:
    zone = ZoneInfo(time_zone)
    return Interval(
        _instant(datetime.combine(day, starts), zone, fold=0),
        _instant(datetime.combine(day, ends), zone, fold=1),
    )


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # In a gap, fold 1 counts with the offset of after it and so lands before it (PEP 495), fold 0 behind it.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return _end_of_gap(before, after, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    offset_before = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset_before:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def days(starts: date, ends: date) -> Iterator[date]:
    """Every date from `starts` to `ends`, both inclusive."""
    return (starts + timedelta(days=number) for number in range((ends - starts).days + 1))


def without(interval: Interval, taken: Iterable[Interval]) -> Iterator[Interval]:
    """What is left of an interval, in order, without the parts that are taken."""
    starts = interval.starts
    for other in sorted(one for one in taken if one.overlaps(interval)):
        if other.starts > starts:
            yield Interval(starts, other.starts)
        starts = max(starts, other.ends)
    if starts < interval.ends:
        yield Interval(starts, interval.ends)
