"""A time zone as a calendar knows it: VTIMEZONE (RFC 5545, section 3.6.5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur, vUTCOffset

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ONE_DAY, ONE_SECOND = timedelta(days=1), timedelta(seconds=1)
BEGINNING_OF_TIME = datetime(1970, 1, 1)  # noqa: DTZ001 (local time, whatever the zone)


def calendar_zone_text(zone: ZoneInfo, around: datetime) -> bytes:
    """The zone's rules in the year of `around`, and those of the years beside it.

    As yearly rules where the zone has them, since some calendars understand nothing else; otherwise change by
    change.
    """
    return _zone_text(zone.key, around.astimezone(UTC).year)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of clocks; `onset` is the wall's time as it was before (section 3.6.5), `second` after."""

    onset: datetime
    before: timedelta
    after: timedelta
    name: str
    is_summer: bool

    @property
    def rule(self) -> tuple[object, ...]:
        """What is the same each year where there is a rule: not yet which weekday of the month."""
        onset = self.onset
        return (onset.month, onset.weekday(), onset.time(), self.before, self.after, self.name)


def _zone(key: str, year: int) -> Timezone:
    zone = ZoneInfo(key)
    first, last = datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + 2, 1, 1, tzinfo=UTC)
    changes = list(_changes(zone, first, last))
    component = Timezone()
    component.add("tzid", key)
    rules = _rules(changes)
    if rules is not None:
        for change, recurrence in rules:
            component.add_component(_observance(change, recurrence))
        return component
    lowest = min([change.after for change in changes], default=None)
    local = first.astimezone(zone)
    offset = _offset(local)
    start = _Change(
        BEGINNING_OF_TIME, offset, offset, local.tzname() or key, lowest is not None and offset > lowest
    )
    for change in (start, *changes):
        component.add_component(_observance(change, None))
    return component


@lru_cache(maxsize=256)
def _zone_text(key: str, year: int) -> bytes:
    content: bytes = _zone(key, year).to_ical()
    return content


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[_Change]:
    found = []
    day = first
    while day < last:
        if _offset(day.astimezone(zone)) != _offset((day + ONE_DAY).astimezone(zone)):
            found.append(_instant(zone, day, day + ONE_DAY))
        day += ONE_DAY
    lowest = min([_offset(at.astimezone(zone)) for at in found], default=timedelta(0))
    for at in found:
        before, after = (at - ONE_SECOND).astimezone(zone), at.astimezone(zone)
        yield _Change(
            onset=(at + _offset(before)).replace(tzinfo=None),
            before=_offset(before),
            after=_offset(after),
            name=after.tzname() or zone.key,
            # By the offset: where winter is the exception (Europe/Dublin), calendars still expect it so.
            is_summer=_offset(after) > lowest,
        )


def _instant(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with the offset of `after`."""
    offset = _offset(after.astimezone(zone))
    while after - before > ONE_SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(middle.astimezone(zone)) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(local: datetime) -> timedelta:
    offset = local.utcoffset()
    assert offset is not None, "it has a zone"
    return offset


def _rules(changes: list[_Change]) -> list[tuple[_Change, vRecur]] | None:
    """The first change of each kind and how it recurs, if there are two, each once a year by one rule."""
    kinds: dict[tuple[object, ...], list[_Change]] = {}
    for change in changes:
        kinds.setdefault(change.rule, []).append(change)
    found = []
    for same in kinds.values():
        week = _week(same)
        if week is None or len({change.onset.year for change in same}) != len(same) or len(same) != 3:
            return None
        onset = same[0].onset
        day = f"{week}{DAYS[onset.weekday()]}"
        found.append((same[0], vRecur(freq="YEARLY", bymonth=onset.month, byday=day)))
    return found if len(found) == 2 else None


def _week(same: list[_Change]) -> int | None:
    """Which weekday of the month it is each time: -1 the last, 1 to 4; None if there is no such number."""
    if all((change.onset + 7 * ONE_DAY).month != change.onset.month for change in same):
        return -1
    weeks = {(change.onset.day - 1) // 7 + 1 for change in same}
    return weeks.pop() if len(weeks) == 1 else None


def _observance(change: _Change, recurrence: vRecur | None) -> TimezoneDaylight | TimezoneStandard:
    component = TimezoneDaylight() if change.is_summer else TimezoneStandard()
    component.add("dtstart", change.onset)
    component.add("tzoffsetfrom", vUTCOffset(change.before))
    component.add("tzoffsetto", vUTCOffset(change.after))
    component.add("tzname", change.name)
    if recurrence is not None:
        component.add("rrule", recurrence)
    return component
