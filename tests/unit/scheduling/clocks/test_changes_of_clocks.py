"""Around every clock change: a slot is listed once, under its own local date, and no time is lost."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from contracts.doctors import Hours, Policy, VisitType
from scheduling.opening_hours import whole_day
from scheduling.slots import check_visit, free_slots, visit_at, with_buffers
from scheduling.state import Doctor, OccupiedTimes
from tests.unit.scheduling.clinic import CHECKUP, DOCTOR, SHORT, a_doctor, entry
from tests.unit.scheduling.given import given

DAY, STEP = timedelta(days=1), timedelta(minutes=30)
STRIDE = timedelta(days=20)  # no zone changes twice in less
FIRST, LAST = datetime(1976, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
ALWAYS = tuple(entry(weekday, "00:00", "24:00") for weekday in range(1, 8))
NIGHTS = tuple(
    hours
    for weekday in range(1, 8)
    for hours in (entry(weekday, "20:00", "23:30"), entry(weekday, "00:00", "02:00"))
)
NOBODY = OccupiedTimes()


@cache
def changes() -> list[tuple[str, date]]:
    """A zone and a local date for every kind of clock change: the local times before and after it."""
    kinds: dict[tuple[time, timedelta], tuple[str, date]] = {}
    for name in sorted(available_timezones()):
        zone, at = ZoneInfo(name), FIRST
        before = at.astimezone(zone).utcoffset()
        while at < LAST:
            after = (at + STRIDE).astimezone(zone).utcoffset()
            if before != after:
                instant = _first_with_another(zone, at, at + STRIDE)
                shown = (instant + _offset(zone, at)).replace(tzinfo=None)
                kinds.setdefault(
                    (shown.time(), _offset(zone, instant) - _offset(zone, at)), (name, shown.date())
                )
            before, at = after, at + STRIDE
    return list(kinds.values())


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _first_with_another(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after


def doctor(hours: tuple[Hours, ...], time_zone: str, slot_minutes: int = 30) -> Doctor:
    facts = a_doctor(hours=hours, time_zone=time_zone, policy=Policy(slot_minutes=slot_minutes))
    return given(*facts).book.doctors[DOCTOR]


def around(day: date) -> list[date]:
    return [day + number * DAY for number in range(-2, 4)]


def every_five_minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    while first < last:
        yield first
        first += timedelta(minutes=5)


def test_there_are_changes_of_many_kinds() -> None:
    assert len(changes()) > 50
    days = [whole_day(name, day) for name, day in changes()]
    lengths = {(day.ends - day.starts) // timedelta(minutes=30) for day in days}
    assert {0, 46, 47, 48, 49, 50} <= lengths, "days that are skipped, shorter and longer"


@pytest.mark.parametrize("hours", [ALWAYS, NIGHTS], ids=["always", "nights"])
@pytest.mark.parametrize("visit_type", [CHECKUP, SHORT], ids=lambda visit_type: visit_type.code)
def test_a_slot_is_listed_once_under_its_own_date(hours: tuple[Hours, ...], visit_type: VisitType) -> None:
    for name, day in changes():
        zone, local_doctor = ZoneInfo(name), doctor(hours, name)
        listed = [
            (shown_on, at)
            for shown_on in around(day)
            for at in free_slots(local_doctor, visit_type, shown_on, NOBODY)
        ]
        assert [shown_on for shown_on, at in listed] == [at.astimezone(zone).date() for _, at in listed], name
        starts = [at for _, at in listed]
        assert len(set(starts)) == len(starts), name


def test_the_listed_slots_are_those_that_are_accepted() -> None:
    for name, day in changes():
        local_doctor = doctor(NIGHTS, name)
        listed = {
            at for shown_on in around(day) for at in free_slots(local_doctor, CHECKUP, shown_on, NOBODY)
        }
        first, last = whole_day(name, around(day)[0]).starts, whole_day(name, around(day)[-1]).ends
        seconds = min(listed, default=first).second
        for at in every_five_minutes(first.replace(second=seconds), last):
            visit = visit_at(at, CHECKUP)
            accepted = check_visit(local_doctor, visit, with_buffers(visit, CHECKUP), NOBODY) is None
            assert accepted == (at in listed), f"{at} in {name}"


def test_a_doctor_with_hours_all_day_loses_no_time_to_a_clock_change() -> None:
    for name, day in changes():
        always_open = doctor(ALWAYS, name)
        starts = [at for shown_on in around(day) for at in free_slots(always_open, CHECKUP, shown_on, NOBODY)]
        starts.sort()
        first, last = whole_day(name, around(day)[0]).starts, whole_day(name, around(day)[-1]).ends
        assert (starts[0], last - starts[-1] <= STEP) == (first, True), name
        assert all(after - before <= STEP for before, after in pairwise(starts)), name


def test_in_nuuk_the_hour_before_midnight_is_skipped_and_sunday_has_its_midnight() -> None:
    zone = ZoneInfo("America/Nuuk")
    in_nuuk = doctor((entry(6, "20:00", "23:30"), entry(7, "00:00", "02:00")), "America/Nuuk")

    def walls(day: date) -> list[str]:
        return [f"{at.astimezone(zone):%d %H:%M%z}" for at in free_slots(in_nuuk, CHECKUP, day, NOBODY)]

    assert walls(date(2027, 3, 27))[-1] == "27 22:30-0200"
    assert walls(date(2027, 3, 28)) == [f"28 {wall}-0100" for wall in ("00:00", "00:30", "01:00", "01:30")]


def test_the_day_that_apia_skipped_lies_between_two_midnights_that_are_one() -> None:
    zone = ZoneInfo("Pacific/Apia")
    in_apia = doctor(ALWAYS, "Pacific/Apia")

    def walls(december: int) -> list[str]:
        return [
            f"{at.astimezone(zone):%d %H:%M}"
            for at in free_slots(in_apia, CHECKUP, date(2011, 12, december), NOBODY)
        ]

    assert (walls(29)[-1], walls(30), walls(31)[0]) == ("29 23:30", [], "31 00:00")
    across = visit_at(datetime(2011, 12, 30, 9, 45, tzinfo=UTC), CHECKUP)
    assert across.ends.astimezone(zone).isoformat() == "2011-12-31T00:15:00+14:00"
    quarters = doctor(ALWAYS, "Pacific/Apia", slot_minutes=15)
    assert check_visit(quarters, across, across, NOBODY) is None
