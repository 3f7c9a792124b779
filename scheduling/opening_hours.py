"""Converts a doctor's local hours to instants, across daylight-saving changes.

A wall time that does not exist (spring) becomes the first instant after the gap. One that occurs twice
(autumn) means its first occurrence where hours begin and its second where they end. 24:00 is the instant at
which the local date ends for the last time.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.doctors import Hours
from contracts.fields import DAY_END

_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


@cache
def minutes(count: int) -> timedelta:
    """A duration of so many minutes. Cached, because the same few are needed constantly."""
    return timedelta(minutes=count)


class Interval(NamedTuple):
    """From `starts` until just before `ends`, both UTC."""

    starts: datetime
    ends: datetime

    def overlaps(self, other: "Interval") -> bool:
        """True if the intervals share time; intervals that only touch do not."""
        return self.starts < other.ends and other.starts < self.ends


def openings(hours: tuple[Hours, ...], time_zone: str, day: date) -> tuple[Interval, ...]:
    """The intervals in which the doctor works on a local date, in order."""
    weekday = day.isoweekday()
    found = [
        _interval(day, entry.starts, entry.ends, time_zone)
        for entry in hours
        if entry.weekday == weekday
        and (entry.valid_from is None or entry.valid_from <= day)
        and (entry.valid_until is None or day <= entry.valid_until)
    ]
    # Hours that lie entirely in a gap are empty.
    return tuple(sorted(interval for interval in found if interval.starts < interval.ends))


def whole_day(time_zone: str, day: date) -> Interval:
    """All of a local date; empty if the zone's clocks skip it."""
    return _interval(day, time.min, DAY_END, time_zone)


@lru_cache(maxsize=65_536)
def _interval(day: date, starts: time, ends: time, time_zone: str) -> Interval:
    zone = ZoneInfo(time_zone)
    return Interval(
        _instant(datetime.combine(day, starts), zone, fold=0),
        _end_of(day, zone) if ends == DAY_END else _instant(datetime.combine(day, ends), zone, fold=1),
    )


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    midnight = datetime.combine(day + _DAY, time.min)
    second = _instant(midnight, zone, fold=1)
    # Between two midnights lies an hour of the next date (Havana) or again the end of this one (St. John's).
    is_last = (second - _SECOND).astimezone(zone).date() <= day
    return second if is_last else _instant(midnight, zone, fold=0)


def first_instant(wall: datetime, time_zone: str) -> datetime:
    """The first instant at which the zone's clocks show this time, or the first after the gap it lies in."""
    return _instant(wall, ZoneInfo(time_zone), fold=0)


def _instant(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # For a time in a gap, fold 1 uses the later offset and gives an instant before the gap (PEP 495); fold 0
    # gives an instant after it.
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
    """The parts of an interval that are not taken, in order."""
    starts = interval.starts
    for other in sorted(busy for busy in taken if busy.overlaps(interval)):
        if other.starts > starts:
            yield Interval(starts, other.starts)
        starts = max(starts, other.ends)
    if starts < interval.ends:
        yield Interval(starts, interval.ends)
