"""Weekly hours become instants, through every clock change.

A local time that does not exist is the first instant after the gap. One that exists twice is the first where
hours begin and the second where they end.
"""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from contracts.doctors import Hours
from scheduling.opening_hours import Interval, openings
from tests.unit.scheduling.clinic import MONDAY, entry


def opened(day: date, starts: str, ends: str, time_zone: str) -> tuple[str, ...]:
    """The start and end, as `11-01 05:00` UTC, of hours on that weekday of the day."""
    found = openings((entry(day.isoweekday(), starts, ends),), time_zone, day)
    return tuple(f"{limit:%m-%d %H:%M}" for opening in found for limit in (opening.starts, opening.ends))


def utc(day: date, wall: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(wall), UTC)


NOTHING = ()
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
APIA, SANTIAGO, NUUK = "Pacific/Apia", "America/Santiago", "America/Nuuk"

SPRING = {
    # 02:00 +01:00 -> 03:00 +02:00
    "Berlin, around the gap": (BERLIN, (2026, 3, 29), "01:00", "04:00", ("03-29 00:00", "03-29 02:00")),
    "Berlin, begins in the gap": (BERLIN, (2026, 3, 29), "02:20", "04:00", ("03-29 01:00", "03-29 02:00")),
    "Berlin, ends in the gap": (BERLIN, (2026, 3, 29), "01:00", "02:40", ("03-29 00:00", "03-29 01:00")),
    "Berlin, begins with the gap": (BERLIN, (2026, 3, 29), "02:00", "04:00", ("03-29 01:00", "03-29 02:00")),
    "Berlin, ends with the gap": (BERLIN, (2026, 3, 29), "01:00", "03:00", ("03-29 00:00", "03-29 01:00")),
    "Berlin, in the gap": (BERLIN, (2026, 3, 29), "02:10", "02:50", NOTHING),
    "Berlin, the gap itself": (BERLIN, (2026, 3, 29), "02:00", "03:00", NOTHING),
    "Berlin, after it": (BERLIN, (2026, 3, 29), "03:00", "04:00", ("03-29 01:00", "03-29 02:00")),
    # 02:00 -05:00 -> 03:00 -04:00
    "New York, around": (NEW_YORK, (2026, 3, 8), "01:00", "04:00", ("03-08 06:00", "03-08 08:00")),
    "New York, begins in": (NEW_YORK, (2026, 3, 8), "02:59", "04:00", ("03-08 07:00", "03-08 08:00")),
    "New York, ends in": (NEW_YORK, (2026, 3, 8), "01:00", "02:01", ("03-08 06:00", "03-08 07:00")),
    # 02:00 +10:30 -> 02:30 +11:00
    "Lord Howe, around": (LORD_HOWE, (2026, 10, 4), "01:00", "04:00", ("10-03 14:30", "10-03 17:00")),
    "Lord Howe, begins in": (LORD_HOWE, (2026, 10, 4), "02:15", "04:00", ("10-03 15:30", "10-03 17:00")),
    "Lord Howe, ends in": (LORD_HOWE, (2026, 10, 4), "01:00", "02:15", ("10-03 14:30", "10-03 15:30")),
    "Lord Howe, in": (LORD_HOWE, (2026, 10, 4), "02:00", "02:30", NOTHING),
    # 00:00 -04:00 -> 01:00 -03:00: the day begins at one o'clock.
    "Santiago, from midnight": (SANTIAGO, (2024, 9, 8), "00:00", "02:00", ("09-08 04:00", "09-08 05:00")),
    "Santiago, begins in": (SANTIAGO, (2024, 9, 8), "00:30", "02:00", ("09-08 04:00", "09-08 05:00")),
    "Santiago, in": (SANTIAGO, (2024, 9, 8), "00:15", "00:45", NOTHING),
    "Santiago, until midnight": (SANTIAGO, (2024, 9, 7), "23:00", "23:59", ("09-08 03:00", "09-08 03:59")),
    # 23:00 -02:00 -> 00:00 -01:00 of the next day: the day ends an hour early.
    "Nuuk, ends in": (NUUK, (2025, 3, 29), "22:00", "23:30", ("03-30 00:00", "03-30 01:00")),
    "Nuuk, in": (NUUK, (2025, 3, 29), "23:10", "23:59", NOTHING),
    # The 30th of December was skipped: 24:00 -10:00 -> 00:00 +14:00 of the 31st.
    "Apia, the day before": (APIA, (2011, 12, 29), "09:00", "23:59", ("12-29 19:00", "12-30 09:59")),
    "Apia, the skipped day": (APIA, (2011, 12, 30), "09:00", "17:00", NOTHING),
    "Apia, all of it": (APIA, (2011, 12, 30), "00:00", "23:59", NOTHING),
    "Apia, the day after": (APIA, (2011, 12, 31), "00:00", "09:00", ("12-30 10:00", "12-30 19:00")),
}

AUTUMN = {
    # 03:00 +02:00 -> 02:00 +01:00
    "Berlin, around": (BERLIN, (2026, 10, 25), "01:00", "04:00", ("10-24 23:00", "10-25 03:00")),
    "Berlin, begins twice": (BERLIN, (2026, 10, 25), "02:20", "04:00", ("10-25 00:20", "10-25 03:00")),
    "Berlin, ends twice": (BERLIN, (2026, 10, 25), "01:00", "02:40", ("10-24 23:00", "10-25 01:40")),
    "Berlin, both twice": (BERLIN, (2026, 10, 25), "02:20", "02:40", ("10-25 00:20", "10-25 01:40")),
    "Berlin, at its first minute": (BERLIN, (2026, 10, 25), "01:00", "02:00", ("10-24 23:00", "10-25 01:00")),
    "Berlin, at its end": (BERLIN, (2026, 10, 25), "03:00", "04:00", ("10-25 02:00", "10-25 03:00")),
    # 02:00 -04:00 -> 01:00 -05:00
    "New York, around": (NEW_YORK, (2026, 11, 1), "00:00", "03:00", ("11-01 04:00", "11-01 08:00")),
    "New York, begins twice": (NEW_YORK, (2026, 11, 1), "01:30", "03:00", ("11-01 05:30", "11-01 08:00")),
    "New York, ends twice": (NEW_YORK, (2026, 11, 1), "00:00", "01:30", ("11-01 04:00", "11-01 06:30")),
    # 02:00 +11:00 -> 01:30 +10:30: half an hour
    "Lord Howe, around": (LORD_HOWE, (2026, 4, 5), "01:00", "03:00", ("04-04 14:00", "04-04 16:30")),
    "Lord Howe, begins twice": (LORD_HOWE, (2026, 4, 5), "01:45", "03:00", ("04-04 14:45", "04-04 16:30")),
    "Lord Howe, ends twice": (LORD_HOWE, (2026, 4, 5), "01:00", "01:45", ("04-04 14:00", "04-04 15:15")),
    # 24:00 -03:00 -> 23:00 -04:00: the last hour of the day, twice
    "Santiago, around": (SANTIAGO, (2024, 4, 6), "22:00", "23:59", ("04-07 01:00", "04-07 03:59")),
    "Santiago, begins twice": (SANTIAGO, (2024, 4, 6), "23:15", "23:45", ("04-07 02:15", "04-07 03:45")),
    "Santiago, the next day": (SANTIAGO, (2024, 4, 7), "00:00", "02:00", ("04-07 04:00", "04-07 06:00")),
    # 00:00 -01:00 -> 23:00 -02:00
    "Nuuk, ends twice": (NUUK, (2025, 10, 25), "22:00", "23:30", ("10-25 23:00", "10-26 01:30")),
}

Example = tuple[str, tuple[int, int, int], str, str, tuple[str, ...]]


@pytest.mark.parametrize("example", SPRING.values(), ids=SPRING)
def test_when_the_clocks_go_forward(example: Example) -> None:
    time_zone, day, starts, ends, expected = example

    assert opened(date(*day), starts, ends, time_zone) == expected


@pytest.mark.parametrize("example", AUTUMN.values(), ids=AUTUMN)
def test_when_the_clocks_go_back(example: Example) -> None:
    time_zone, day, starts, ends, expected = example

    assert opened(date(*day), starts, ends, time_zone) == expected


@pytest.mark.parametrize("time_zone", [BERLIN, NEW_YORK, LORD_HOWE, APIA, SANTIAGO, NUUK, "UTC"])
def test_on_any_other_day_hours_have_their_length(time_zone: str) -> None:
    (opening,) = openings((entry(1, "09:00", "12:30"),), time_zone, date(2026, 6, 1))

    assert opening.ends - opening.starts == timedelta(hours=3, minutes=30)


def test_a_second_of_gap_before_the_hours_of_an_odd_zone() -> None:
    # Monrovia went from -00:44:30 to UTC in 1972; instants are whole seconds nevertheless.
    (opening,) = openings((entry(5, "00:10", "01:00"),), "Africa/Monrovia", date(1972, 1, 7))

    assert opening == Interval(
        datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC), datetime(1972, 1, 7, 1, 0, tzinfo=UTC)
    )


def test_several_openings_of_a_day_come_in_order() -> None:
    hours = (entry(1, "14:00", "16:00"), entry(1, "09:00", "12:00"), entry(2, "10:00", "11:00"))

    assert openings(hours, "UTC", MONDAY) == (
        Interval(utc(MONDAY, "09:00"), utc(MONDAY, "12:00")),
        Interval(utc(MONDAY, "14:00"), utc(MONDAY, "16:00")),
    )


def test_only_that_weekday_opens() -> None:
    hours = tuple(entry(weekday, f"{weekday:02}:00", "12:00") for weekday in range(1, 8))

    for number in range(7):
        day = MONDAY + timedelta(days=number)
        (opening,) = openings(hours, "UTC", day)
        assert opening.starts == utc(day, f"{number + 1:02}:00")


@pytest.mark.parametrize(
    ("hours", "is_open"),
    [
        (entry(1, "09:00", "12:00"), True),
        (entry(1, "09:00", "12:00", valid_from=MONDAY), True),
        (entry(1, "09:00", "12:00", valid_until=MONDAY), True),
        (entry(1, "09:00", "12:00", valid_from=MONDAY + timedelta(days=1)), False),
        (entry(1, "09:00", "12:00", valid_until=MONDAY - timedelta(days=1)), False),
    ],
)
def test_only_valid_hours_open(hours: Hours, is_open: bool) -> None:
    assert bool(openings((hours,), "UTC", MONDAY)) is is_open
