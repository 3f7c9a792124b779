"""The starts that are offered: by elapsed time from the opening, whatever the local clock shows."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts.doctors import Hours, Policy
from contracts.events import Fact
from scheduling.slots import free_slots
from tests.unit.scheduling.asked import book
from tests.unit.scheduling.clinic import (
    BERLIN,
    BY_STAFF,
    DOCTOR,
    MONDAY,
    SHORT,
    a_doctor,
    blocked,
    booked,
    entry,
    monday,
)
from tests.unit.scheduling.given import given

AUTUMN_SUNDAY, SPRING_SUNDAY = date(2026, 10, 25), date(2026, 3, 29)
HALF_HOURS = Policy(slot_minutes=30)


def offered(
    *facts: Fact, day: date = MONDAY, visit_type: str = "checkup", time_zone: str = BERLIN
) -> list[str]:
    """The starts that are offered, as shown: local time with its offset."""
    clinic = given(*facts).book
    doctor = clinic.doctors[DOCTOR]
    wanted = doctor.visit_type(visit_type)
    assert wanted is not None
    starts = free_slots(doctor, wanted, day, clinic.occupied(DOCTOR))
    return [start.astimezone(ZoneInfo(time_zone)).strftime("%H:%M%z")[:-2] for start in starts]


def night(hours: Hours, time_zone: str) -> tuple[Fact, ...]:
    return a_doctor(hours=(hours,), time_zone=time_zone, policy=HALF_HOURS)


def test_a_morning_in_quarters_of_an_hour() -> None:
    walls = [
        "09:00",
        "09:15",
        "09:30",
        "09:45",
        "10:00",
        "10:15",
        "10:30",
        "10:45",
        "11:00",
        "11:15",
        "11:30",
    ]

    assert offered(*a_doctor()) == [f"{wall}+01" for wall in walls]


def test_the_grid_comes_from_the_policy_and_begins_with_the_hours() -> None:
    hours = (entry(1, "09:10", "10:30"),)

    def in_steps_of(minutes: int) -> list[str]:
        return offered(*a_doctor(hours=hours, policy=Policy(slot_minutes=minutes)))

    assert in_steps_of(25) == ["09:10+01", "09:35+01", "10:00+01"]
    assert in_steps_of(720) == ["09:10+01"]


def test_every_opening_has_its_own_grid() -> None:
    hours = (entry(1, "13:05", "13:50"), entry(1, "09:00", "09:45"))

    assert offered(*a_doctor(hours=hours)) == ["09:00+01", "09:15+01", "13:05+01", "13:20+01"]


def test_a_visit_longer_than_the_hours_has_no_slot() -> None:
    assert offered(*a_doctor(hours=(entry(1, "09:00", "09:29"),))) == []
    assert offered(*a_doctor(hours=(entry(1, "09:00", "09:30"),))) == ["09:00+01"]


def test_taken_time_and_time_off_are_not_offered() -> None:
    existing = booked(monday("10:00"), SHORT)
    away = blocked(monday("11:20"), monday("11:40"))

    assert offered(*a_doctor(policy=HALF_HOURS), existing, away) == ["09:00+01", "09:30+01", "10:30+01"]
    assert offered(*a_doctor(policy=HALF_HOURS), existing, visit_type="surgery") == ["10:30+01", "11:00+01"]


def test_a_day_without_hours_has_no_slots() -> None:
    assert offered(*a_doctor(), day=MONDAY + timedelta(days=1)) == []


def test_in_spring_the_slots_continue_after_the_gap() -> None:
    facts = night(entry(7, "01:00", "04:00"), BERLIN)

    assert offered(*facts, day=SPRING_SUNDAY) == ["01:00+01", "01:30+01", "03:00+02", "03:30+02"]


def test_in_autumn_the_repeated_hour_has_its_slots_twice() -> None:
    facts = night(entry(7, "01:00", "04:00"), BERLIN)

    assert offered(*facts, day=AUTUMN_SUNDAY) == [
        "01:00+02",
        "01:30+02",
        "02:00+02",
        "02:30+02",
        "02:00+01",
        "02:30+01",
        "03:00+01",
        "03:30+01",
    ]


def test_a_visit_may_span_the_clock_change() -> None:
    facts = a_doctor(hours=(entry(7, "01:00", "04:00"),), policy=Policy(slot_minutes=45))
    clinic = given(*facts)
    before_the_gap = datetime(2026, 3, 29, 0, 45, tzinfo=UTC)

    assert offered(*facts, day=SPRING_SUNDAY) == ["01:00+01", "01:45+01", "03:30+02"]
    clinic.when(book(before_the_gap, by=BY_STAFF)).then(booked(before_the_gap))
    assert booked(before_the_gap).ends_at == datetime(2026, 3, 29, 1, 15, tzinfo=UTC)


def test_on_lord_howe_the_clocks_change_by_half_an_hour() -> None:
    facts = night(entry(7, "01:00", "03:00"), "Australia/Lord_Howe")

    def walls(day: date) -> list[str]:
        return [wall[:5] for wall in offered(*facts, day=day, time_zone="Australia/Lord_Howe")]

    assert walls(date(2026, 10, 4)) == ["01:00", "01:30", "02:30"]
    assert walls(date(2026, 4, 5)) == ["01:00", "01:30", "01:30", "02:00", "02:30"]
    assert walls(date(2026, 4, 12)) == ["01:00", "01:30", "02:00", "02:30"]


def test_the_day_that_apia_skipped_has_no_slots() -> None:
    every_day = tuple(entry(weekday, "09:00", "10:00") for weekday in range(1, 8))
    facts = a_doctor(hours=every_day, time_zone="Pacific/Apia", policy=HALF_HOURS)

    def walls(december: int) -> list[str]:
        return offered(*facts, day=date(2011, 12, december), time_zone="Pacific/Apia")

    assert (walls(29), walls(30), walls(31)) == (["09:00-10", "09:30-10"], [], ["09:00+14", "09:30+14"])


def test_in_santiago_the_clocks_change_at_midnight() -> None:
    late_and_early = (entry(6, "22:00", "23:59"), entry(7, "00:00", "02:00"))
    facts = a_doctor(hours=late_and_early, time_zone="America/Santiago", policy=HALF_HOURS)

    def walls(day: date) -> list[str]:
        return offered(*facts, day=day, time_zone="America/Santiago", visit_type="short")

    assert walls(date(2024, 4, 6)) == ["22:00-03", "22:30-03", "23:00-03", "23:30-03", "23:00-04", "23:30-04"]
    assert walls(date(2024, 4, 7)) == ["00:00-04", "00:30-04", "01:00-04", "01:30-04"]
    assert walls(date(2024, 9, 7)) == ["22:00-04", "22:30-04", "23:00-04", "23:30-04"]
    assert walls(date(2024, 9, 8)) == ["01:00-03", "01:30-03"]


# Both pairs share an hour of that night: the first of a pair ends at the second 02:30, the second begins at
# the first.
SHARING = {
    "meeting": (entry(7, "01:00", "02:30"), entry(7, "02:30", "04:00")),
    "with a break": (entry(7, "01:00", "02:15"), entry(7, "02:45", "04:00")),
}


@pytest.mark.parametrize("hours", SHARING.values(), ids=SHARING)
def test_hours_that_share_a_repeated_hour_offer_every_start_once_in_order(
    hours: tuple[Hours, ...],
) -> None:
    clinic = given(*a_doctor(hours=hours)).book
    starts = list(free_slots(clinic.doctors[DOCTOR], SHORT, AUTUMN_SUNDAY, clinic.occupied(DOCTOR)))

    assert starts == sorted(set(starts))


def test_in_such_an_hour_the_slots_of_both_are_offered() -> None:
    clinic = given(*a_doctor(hours=SHARING["meeting"], policy=Policy(slot_minutes=20)))
    of_the_first, of_the_second = (datetime(2026, 10, 25, 0, minute, tzinfo=UTC) for minute in (40, 30))

    for start in (of_the_first, of_the_second):
        clinic.when(book(start, "short", by=BY_STAFF)).then(booked(start, SHORT))
