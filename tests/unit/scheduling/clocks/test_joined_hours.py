"""Hours that touch are joined, also at midnight: a visit may span both."""

from datetime import timedelta

import pytest

from contracts.refusals import Reason
from tests.unit.scheduling.asked import book
from tests.unit.scheduling.clinic import BY_STAFF, MONDAY, a_doctor, blocked, booked, entry, monday
from tests.unit.scheduling.given import given


def test_a_visit_may_span_hours_that_touch() -> None:
    clinic = given(*a_doctor(hours=(entry(1, "09:00", "10:00"), entry(1, "10:00", "11:00"))))

    clinic.when(book(monday("09:45"))).then(booked(monday("09:45")))
    clinic.when(book(monday("10:00"))).then(booked(monday("10:00")))
    clinic.when(book(monday("10:45"))).then(Reason.OUTSIDE_HOURS)


def test_hours_that_touch_keep_the_grid_of_each() -> None:
    clinic = given(*a_doctor(hours=(entry(1, "09:00", "10:10"), entry(1, "10:10", "11:00"))))

    for wall in ("09:45", "10:00", "10:10", "10:25"):
        clinic.when(book(monday(wall))).then(booked(monday(wall)))
    for wall in ("10:15", "10:30"):
        clinic.when(book(monday(wall))).then(Reason.NOT_A_SLOT)


def test_time_off_in_the_second_hours_blocks_such_a_visit() -> None:
    clinic = given(
        *a_doctor(hours=(entry(1, "09:00", "10:00"), entry(1, "10:00", "11:00"))),
        blocked(monday("10:10"), monday("10:20")),
    )

    clinic.when(book(monday("09:45"))).then(Reason.IN_TIME_OFF)


@pytest.mark.parametrize(
    ("ends", "wall", "outcome"),
    [
        ("24:00", "23:30", None),
        ("24:00", "23:45", Reason.OUTSIDE_HOURS),
        ("23:59", "23:15", None),
        ("23:59", "23:30", Reason.OUTSIDE_HOURS),
    ],
)
def test_hours_may_end_at_midnight(ends: str, wall: str, outcome: Reason | None) -> None:
    clinic = given(*a_doctor(hours=(entry(1, "20:00", ends),)))

    clinic.when(book(monday(wall))).then(outcome or booked(monday(wall)))


def test_hours_that_touch_at_midnight_are_joined() -> None:
    until, on = entry(1, "20:00", "24:00"), entry(2, "00:00", "02:00")
    late = booked(monday("23:45"))

    given(*a_doctor(hours=(until, on))).when(book(monday("23:45"))).then(late)
    for apart in (
        (entry(1, "20:00", "23:59"), on),
        (until, entry(2, "00:01", "02:00")),
        (until, entry(2, "00:00", "02:00", valid_from=MONDAY + timedelta(days=2))),
        (entry(1, "20:00", "24:00", valid_until=MONDAY - timedelta(days=1)), on),
        (until, entry(3, "00:00", "02:00")),
    ):
        given(*a_doctor(hours=apart)).when(book(monday("23:45"))).then(Reason.OUTSIDE_HOURS)


def test_a_doctor_with_hours_all_week_takes_visits_at_any_time() -> None:
    all_week = tuple(entry(weekday, "00:00", "24:00") for weekday in range(1, 8))
    clinic = given(*a_doctor(hours=all_week))

    for number in range(4 * 24 * 7):
        start = monday("00:00") + number * timedelta(minutes=15)
        clinic.when(book(start, by=BY_STAFF)).then(booked(start))
