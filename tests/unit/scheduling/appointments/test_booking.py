"""Booking a slot: the time that it takes, and how near or far ahead a patient may book. Staff have fewer
limits.
"""

from datetime import date, timedelta

import pytest

from contracts.commands import Actor
from contracts.doctors import Policy
from contracts.refusals import Reason
from tests.unit.scheduling.asked import book
from tests.unit.scheduling.clinic import (
    BY_OTHER_PATIENT,
    BY_PATIENT,
    BY_STAFF,
    NOW,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    SHORT,
    SURGERY,
    a_doctor,
    appointment_id,
    blocked,
    booked,
    cancelled,
    ended,
    entry,
    monday,
    on,
)
from tests.unit.scheduling.given import given

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("by", [BY_PATIENT, BY_STAFF], ids=["a patient", "staff"])
def test_a_free_slot_can_be_booked(by: Actor) -> None:
    given(*a_doctor()).when(book(monday("09:30"), by=by)).then(booked(monday("09:30")))


def test_the_reason_for_the_visit_is_kept_encrypted() -> None:
    given(*a_doctor()).when(book(monday("09:30"), reason="c2VhbGVk")).then(
        booked(monday("09:30"), reason="c2VhbGVk")
    )


def test_the_time_taken_is_the_visit_with_its_buffers() -> None:
    given(*a_doctor()).when(book(monday("10:00"), SURGERY)).then(booked(monday("10:00"), SURGERY))
    assert booked(monday("10:00"), SURGERY).occupied_from == monday("09:45")
    assert booked(monday("10:00"), SURGERY).occupied_until == monday("11:30")


def test_the_last_visit_ends_with_the_hours() -> None:
    given(*a_doctor()).when(book(monday("11:30"))).then(booked(monday("11:30")))
    given(*a_doctor()).when(book(monday("11:45"))).then(Reason.OUTSIDE_HOURS)


def test_buffers_may_reach_beyond_the_hours() -> None:
    given(*a_doctor()).when(book(monday("09:00"), SURGERY)).then(booked(monday("09:00"), SURGERY))
    given(*a_doctor()).when(book(monday("11:00"), SURGERY)).then(booked(monday("11:00"), SURGERY))


def test_buffers_may_reach_into_time_off_but_the_visit_may_not() -> None:
    away = blocked(monday("10:00"), monday("10:30"))

    given(*a_doctor(), away).when(book(monday("09:00"), SURGERY)).then(booked(monday("09:00"), SURGERY))
    given(*a_doctor(), away).when(book(monday("10:30"), SURGERY)).then(booked(monday("10:30"), SURGERY))
    given(*a_doctor(), away).when(book(monday("09:15"), SURGERY)).then(Reason.IN_TIME_OFF)


def test_visits_may_touch() -> None:
    existing = booked(monday("10:00"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    given(*a_doctor(), existing).when(book(monday("09:30"))).then(booked(monday("09:30")))
    given(*a_doctor(), existing).when(book(monday("10:30"))).then(booked(monday("10:30")))


@pytest.mark.parametrize("wall", ["09:45", "10:00", "10:15"])
def test_visits_may_not_overlap(wall: str) -> None:
    existing = booked(monday("10:00"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    given(*a_doctor(), existing).when(book(monday(wall), by=BY_STAFF)).then(Reason.SLOT_TAKEN)


@pytest.mark.parametrize(
    ("wall", "free"), [("09:30", True), ("09:45", False), ("11:15", False), ("11:30", True)]
)
def test_the_buffers_of_existing_bookings_are_kept_free(wall: str, free: bool) -> None:
    existing = booked(monday("10:00"), SURGERY, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
    asked = given(*a_doctor(), existing).when(book(monday(wall), SHORT))

    asked.then(booked(monday(wall), SHORT) if free else Reason.SLOT_TAKEN)


@pytest.mark.parametrize(("existing_at", "free"), [("09:30", False), ("09:15", True), ("11:15", False)])
def test_the_buffers_of_a_new_booking_need_room_too(existing_at: str, free: bool) -> None:
    existing = booked(monday(existing_at), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
    asked = given(*a_doctor(), existing).when(book(monday("10:00"), SURGERY, by=BY_STAFF))

    asked.then(booked(monday("10:00"), SURGERY) if free else Reason.SLOT_TAKEN)


def test_a_cancelled_time_is_free_again() -> None:
    existing = booked(monday("10:00"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    given(*a_doctor(), existing, cancelled(existing)).when(book(monday("10:00"))).then(
        booked(monday("10:00"))
    )


def test_a_patient_cannot_be_with_two_doctors_at_a_time() -> None:
    existing = booked(monday("10:00"), doctor=OTHER_DOCTOR, appointment=OTHER_APPOINTMENT)
    clinic = given(*a_doctor(), *a_doctor(OTHER_DOCTOR), existing)

    clinic.when(book(monday("10:15"), by=BY_STAFF)).then(Reason.PATIENT_BUSY)
    clinic.when(book(monday("10:30"))).then(booked(monday("10:30")))
    clinic.when(book(monday("10:15"), by=BY_OTHER_PATIENT, patient=OTHER_PATIENT)).then(
        booked(monday("10:15"), patient=OTHER_PATIENT)
    )


def test_buffers_do_not_keep_the_patient_busy() -> None:
    existing = booked(monday("10:00"), SURGERY, doctor=OTHER_DOCTOR, appointment=OTHER_APPOINTMENT)

    given(*a_doctor(), *a_doctor(OTHER_DOCTOR), existing).when(book(monday("11:00"))).then(
        booked(monday("11:00"))
    )


def test_the_start_has_to_be_in_the_future_for_staff_too() -> None:
    for now in (monday("09:00"), monday("09:01")):
        given(*a_doctor()).when(book(monday("09:00"), by=BY_STAFF), now).then(Reason.IN_THE_PAST)
    given(*a_doctor()).when(book(monday("09:00"), by=BY_STAFF), monday("08:59")).then(booked(monday("09:00")))


def test_a_patient_keeps_the_minimum_notice_and_staff_need_not() -> None:
    clinic = given(*a_doctor(policy=Policy(min_notice_minutes=60)))

    clinic.when(book(monday("10:00")), monday("09:00")).then(booked(monday("10:00")))
    clinic.when(book(monday("10:00")), monday("09:01")).then(Reason.TOO_SOON)
    clinic.when(book(monday("10:00"), by=BY_STAFF), monday("09:59")).then(booked(monday("10:00")))


def test_a_patient_keeps_to_the_horizon_and_staff_need_not() -> None:
    clinic = given(*a_doctor(policy=Policy(horizon_days=3)))
    three_days_before = monday("10:00") - timedelta(days=3)

    clinic.when(book(monday("10:00")), three_days_before).then(booked(monday("10:00")))
    clinic.when(book(monday("10:00")), three_days_before - MINUTE).then(Reason.TOO_FAR_AHEAD)
    clinic.when(book(monday("10:00"), by=BY_STAFF), NOW - timedelta(days=300)).then(booked(monday("10:00")))


def test_an_occupied_time_has_to_end_within_the_range_of_instants() -> None:
    last_day = date(2199, 12, 31)
    clinic = given(*a_doctor(hours=(entry(last_day.isoweekday(), "20:00", "23:59"),), time_zone="UTC"))
    last, too_late = on(last_day, "22:15", "UTC"), on(last_day, "22:30", "UTC")

    clinic.when(book(last, SURGERY, by=BY_STAFF)).then(booked(last, SURGERY, time_zone="UTC"))
    clinic.when(book(too_late, SURGERY, by=BY_STAFF)).then(Reason.TOO_FAR_AHEAD)


UPCOMING = [
    booked(monday(f"{hour:02}:00"), SHORT, appointment=appointment_id(100 + hour)) for hour in (9, 10)
]
LIMITED = a_doctor(policy=Policy(max_active_per_patient=2))


def test_a_patient_has_a_limited_number_of_appointments_with_a_doctor_unless_staff_book() -> None:
    asked = book(monday("11:00"))

    given(*LIMITED, UPCOMING[0]).when(asked).then(booked(monday("11:00")))
    given(*LIMITED, *UPCOMING).when(asked).then(Reason.TOO_MANY_ACTIVE)
    given(*LIMITED, *UPCOMING).when(book(monday("11:00"), by=BY_STAFF)).then(booked(monday("11:00")))


def test_past_and_cancelled_appointments_and_other_doctors_do_not_count() -> None:
    asked = book(monday("11:00"))
    elsewhere = booked(monday("10:30"), doctor=OTHER_DOCTOR, appointment=appointment_id(200))

    given(*LIMITED, *UPCOMING, cancelled(UPCOMING[0])).when(asked).then(booked(monday("11:00")))
    given(*LIMITED, *UPCOMING, ended(UPCOMING[0])).when(asked).then(booked(monday("11:00")))
    given(*LIMITED, *UPCOMING).when(asked, monday("09:00")).then(booked(monday("11:00")))
    given(*LIMITED, *a_doctor(OTHER_DOCTOR), UPCOMING[0], elsewhere).when(asked).then(booked(monday("11:00")))


def test_every_opening_of_a_day_has_a_grid_of_its_own() -> None:
    clinic = given(*a_doctor(hours=(entry(1, "09:00", "10:00"), entry(1, "13:10", "14:10"))))

    clinic.when(book(monday("13:10"))).then(booked(monday("13:10")))
    clinic.when(book(monday("13:25"))).then(booked(monday("13:25")))
    clinic.when(book(monday("13:15"))).then(Reason.NOT_A_SLOT)
    clinic.when(book(monday("09:45"))).then(Reason.OUTSIDE_HOURS)
    clinic.when(book(monday("10:00"), by=BY_STAFF)).then(Reason.OUTSIDE_HOURS)


@pytest.mark.parametrize("seconds", [1, 59, 0.001])
def test_a_slot_begins_on_the_instant(seconds: float) -> None:
    start = monday("09:00") + timedelta(seconds=seconds)

    given(*a_doctor()).when(book(start)).then(Reason.NOT_A_SLOT)
