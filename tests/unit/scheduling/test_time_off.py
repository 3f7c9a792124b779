"""Time off: nothing is booked in it, and existing bookings conflict with it or are cancelled."""

from datetime import date, timedelta

import pytest

from contracts.events import CancelledBy, Fact
from contracts.refusals import Reason, Refusal
from tests.unit.scheduling.asked import block, book, unblock
from tests.unit.scheduling.clinic import (
    BY_STAFF,
    DOCTOR,
    MONDAY,
    NOW,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    SURGERY,
    a_doctor,
    blocked,
    booked,
    cancelled,
    ended,
    entry,
    monday,
    on,
    unblocked,
)
from tests.unit.scheduling.given import given

EVERY_DAY = tuple(entry(weekday, "09:00", "12:00") for weekday in range(1, 8))
AT_NINE = booked(monday("09:00"))
AT_TEN = booked(monday("10:00"), SURGERY, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
CLINIC = (*a_doctor(), AT_NINE, AT_TEN)


def test_time_off_is_added() -> None:
    given(*a_doctor()).when(block(monday("09:00"), monday("10:00"), note="c2VhbGVk")).then(
        blocked(monday("09:00"), monday("10:00"), note="c2VhbGVk")
    )


@pytest.mark.parametrize(
    ("wall", "free"), [("09:30", True), ("09:45", False), ("10:00", False), ("10:15", False), ("10:30", True)]
)
def test_no_visit_reaches_into_it(wall: str, free: bool) -> None:
    away = blocked(monday("10:00"), monday("10:30"))

    given(*a_doctor(), away).when(book(monday(wall), by=BY_STAFF)).then(
        booked(monday(wall)) if free else Reason.IN_TIME_OFF
    )


def test_it_may_last_for_days() -> None:
    friday_noon, tuesday_ten = on(date(2026, 3, 6), "12:00"), on(date(2026, 3, 10), "10:00")
    clinic = given(*a_doctor(hours=EVERY_DAY), blocked(friday_noon, tuesday_ten))

    for day, wall, free in (
        (6, "11:30", True),
        (7, "09:00", False),
        (9, "11:30", False),
        (10, "09:45", False),
    ):
        start = on(date(2026, 3, day), wall)
        clinic.when(book(start)).then(booked(start) if free else Reason.IN_TIME_OFF)


# Both clock changes lie within: on 29 March the clocks of Berlin go forward, on 25 October back.
@pytest.mark.parametrize("sunday", [date(2026, 3, 29), date(2026, 10, 25)], ids=["spring", "autumn"])
def test_it_may_span_a_clock_change(sunday: date) -> None:
    saturday, next_monday = sunday - timedelta(days=1), sunday + timedelta(days=1)
    away = blocked(on(saturday, "10:00"), on(next_monday, "10:00"))
    clinic = given(*a_doctor(hours=EVERY_DAY), away)

    for day, wall, free in (
        (saturday, "09:30", True),
        (saturday, "09:45", False),
        (sunday, "09:00", False),
        (sunday, "11:30", False),
        (next_monday, "09:45", False),
        (next_monday, "10:00", True),
    ):
        start = on(day, wall)
        clinic.when(book(start, by=BY_STAFF)).then(booked(start) if free else Reason.IN_TIME_OFF)


@pytest.mark.parametrize(("fold", "free"), [(0, False), (1, True)], ids=["the first", "the second"])
def test_it_may_cover_one_of_two_hours_with_the_same_local_time(fold: int, free: bool) -> None:
    sunday = date(2026, 10, 25)
    night = entry(7, "01:00", "04:00")
    away = blocked(on(sunday, "02:00", fold=0), on(sunday, "02:00", fold=1))
    start = on(sunday, "02:30", fold=fold)

    given(*a_doctor(hours=(night,)), away).when(book(start, by=BY_STAFF)).then(
        booked(start) if free else Reason.IN_TIME_OFF
    )


def test_bookings_conflict_with_it_and_are_counted() -> None:
    clinic = given(*CLINIC)

    clinic.when(block(monday("08:00"), monday("18:00"))).then(Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 2))
    clinic.when(block(monday("09:29"), monday("10:00"))).then(Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 1))


@pytest.mark.parametrize(("starts", "ends"), [("09:30", "10:00"), ("11:00", "12:00"), ("08:00", "09:00")])
def test_touching_a_visit_or_lying_in_its_buffers_is_no_conflict(starts: str, ends: str) -> None:
    given(*CLINIC).when(block(monday(starts), monday(ends))).then(blocked(monday(starts), monday(ends)))


def test_on_request_the_clinic_cancels_the_conflicting_bookings_in_order() -> None:
    given(*CLINIC).when(block(monday("08:00"), monday("18:00"), cancel_conflicting=True)).then(
        blocked(monday("08:00"), monday("18:00")),
        cancelled(AT_NINE, CancelledBy.CLINIC, "time_off"),
        cancelled(AT_TEN, CancelledBy.CLINIC, "time_off"),
    )


def test_it_cancels_nothing_else() -> None:
    given(*CLINIC).when(block(monday("09:00"), monday("10:00"), cancel_conflicting=True)).then(
        blocked(monday("09:00"), monday("10:00")), cancelled(AT_NINE, CancelledBy.CLINIC, "time_off")
    )


OTHERS: dict[str, tuple[Fact, ...]] = {
    "cancelled": (AT_NINE, cancelled(AT_NINE)),
    "over": (AT_NINE, ended(AT_NINE)),
    "another doctor's": (*a_doctor(OTHER_DOCTOR), booked(monday("09:00"), doctor=OTHER_DOCTOR)),
}


@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS)
def test_other_appointments_are_no_conflict(others: tuple[Fact, ...]) -> None:
    given(*a_doctor(), *others).when(block(monday("09:00"), monday("10:00"))).then(
        blocked(monday("09:00"), monday("10:00"))
    )


def test_a_past_visit_is_no_conflict_and_is_not_cancelled() -> None:
    all_day = block(monday("08:00"), monday("18:00"), cancel_conflicting=True)

    given(*CLINIC).when(all_day, monday("09:30")).then(
        blocked(monday("08:00"), monday("18:00")), cancelled(AT_TEN, CancelledBy.CLINIC, "time_off")
    )


def test_a_visit_that_has_begun_is_a_conflict() -> None:
    given(*CLINIC).when(block(monday("09:15"), monday("09:45")), monday("09:15")).then(
        Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 1)
    )


def test_it_may_have_begun_but_not_ended() -> None:
    asked = block(NOW - timedelta(days=1), NOW + timedelta(minutes=1))

    given(*a_doctor()).when(asked).then(blocked(asked.starts_at, asked.ends_at))
    given(*a_doctor()).when(asked, asked.ends_at).then(Reason.IN_THE_PAST)


def test_it_may_lie_outside_the_hours_and_cover_a_day_without_any() -> None:
    sunday = MONDAY - timedelta(days=1)

    given(*a_doctor()).when(block(on(sunday, "00:00"), on(sunday, "12:00"))).then(
        blocked(on(sunday, "00:00"), on(sunday, "12:00"))
    )


def test_removed_time_off_can_be_booked() -> None:
    away = blocked(monday("09:00"), monday("10:00"))
    after = given(*a_doctor(), away).when(unblock()).then_given()

    given(*a_doctor(), away).when(unblock()).then(unblocked(monday("09:00"), monday("10:00")))
    after.when(book(monday("09:00"))).then(booked(monday("09:00")))
    assert after.book.doctors[DOCTOR].time_off == ()


def test_it_is_removed_only_once() -> None:
    away = blocked(monday("09:00"), monday("10:00"))

    given(*a_doctor(), away, unblocked(away.starts_at, away.ends_at)).when(unblock()).then(
        Reason.UNKNOWN_TIME_OFF
    )
    given(*a_doctor(), away, *a_doctor(OTHER_DOCTOR)).when(unblock(OTHER_DOCTOR)).then(
        Reason.UNKNOWN_TIME_OFF
    )


def test_cancelled_bookings_stay_cancelled_when_time_off_is_removed() -> None:
    after = (
        given(*CLINIC)
        .when(block(monday("08:00"), monday("18:00"), cancel_conflicting=True))
        .then_given()
        .when(unblock())
        .then_given()
    )

    assert list(after.book.booked_by(AT_NINE.patient_id)) == []
