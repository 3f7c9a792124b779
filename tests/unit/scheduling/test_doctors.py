"""Doctors: registering, changing, and setting the weekly hours."""

from datetime import date

import pytest

from contracts.doctors import Hours, Policy, PolicyChange
from contracts.refusals import Reason
from tests.unit.scheduling.asked import book, register, set_hours, update
from tests.unit.scheduling.clinic import (
    BY_STAFF,
    DOCTOR,
    MONDAY_MORNING,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    SHORT,
    SURGERY,
    VISIT_TYPES,
    a_doctor,
    blocked,
    booked,
    entry,
    hours_set,
    monday,
    on,
    registered,
    updated,
)
from tests.unit.scheduling.given import given

APRIL_1, APRIL_30, MAY_1 = date(2026, 4, 1), date(2026, 4, 30), date(2026, 5, 1)


def test_a_doctor_is_registered() -> None:
    given().when(register()).then(registered())
    given(registered(OTHER_DOCTOR)).when(register()).then(registered())


def test_with_a_policy_and_a_zone_of_its_own() -> None:
    policy = Policy(slot_minutes=20)

    given().when(register(time_zone="Pacific/Apia", policy=policy, visit_types=(SHORT,))).then(
        registered(time_zone="Pacific/Apia", policy=policy, visit_types=(SHORT,))
    )


def test_only_once() -> None:
    given(registered()).when(register()).then(Reason.ALREADY_REGISTERED)


def test_a_new_doctor_is_active_and_has_no_hours_yet() -> None:
    doctor = given(registered()).book.doctors[DOCTOR]

    assert (doctor.active, doctor.hours, doctor.time_off) == (True, (), ())
    given(registered()).when(book(monday("09:00"))).then(Reason.OUTSIDE_HOURS)


def test_an_update_changes_the_given_values_and_its_event_has_all() -> None:
    before = registered(policy=Policy(slot_minutes=20))

    given(before).when(update(name="Dr. A. Holm")).then(updated(before, name="Dr. A. Holm"))
    given(before).when(update(specialty="surgery")).then(updated(before, specialty="surgery"))
    given(before).when(update(time_zone="UTC")).then(updated(before, time_zone="UTC"))
    given(before).when(update(visit_types=(SHORT,))).then(updated(before, visit_types=(SHORT,)))
    given(before).when(update(active=False)).then(updated(before, active=False))
    given(before).when(update()).then(updated(before))


def test_a_policy_is_changed_value_by_value() -> None:
    before = registered(policy=Policy(slot_minutes=20, horizon_days=30))

    given(before).when(update(policy=PolicyChange(horizon_days=60))).then(
        updated(before, policy=Policy(slot_minutes=20, horizon_days=60))
    )


def test_an_update_keeps_hours_and_time_off() -> None:
    away = blocked(monday("09:00"), monday("10:00"))
    before = given(*a_doctor(), away).book.doctors[DOCTOR]

    after = given(*a_doctor(), away).when(update(name="Dr. A. Holm")).then_given().book.doctors[DOCTOR]

    assert (after.hours, after.time_off) == (before.hours, before.time_off)
    assert after.name == "Dr. A. Holm"


def test_an_inactive_doctor_keeps_the_bookings_and_takes_no_new_ones() -> None:
    existing = booked(monday("10:00"))
    after = given(*a_doctor(), existing).when(update(active=False)).then_given()

    after.when(book(monday("11:00"), by=BY_STAFF)).then(Reason.DOCTOR_INACTIVE)
    assert [appointment.id for appointment in after.book.booked_by(existing.patient_id)] == [
        existing.appointment_id
    ]


def test_a_doctor_may_become_active_again() -> None:
    register_, hours = a_doctor(active=False)
    after = given(register_, hours).when(update(active=True)).then_given()

    after.when(book(monday("11:00"))).then(booked(monday("11:00")))


def test_a_booking_keeps_its_length_when_the_visit_type_changes() -> None:
    existing = booked(monday("10:00"), SURGERY)
    shorter = SURGERY.model_copy(update={"minutes": 15, "buffer_after_minutes": 0})
    after = given(*a_doctor(), existing).when(update(visit_types=(shorter, SHORT))).then_given()

    after.when(book(monday("11:15"), SHORT, by=BY_STAFF, appointment=OTHER_APPOINTMENT)).then(
        Reason.SLOT_TAKEN
    )


def test_another_zone_moves_the_hours_and_not_the_bookings() -> None:
    existing = booked(monday("10:00"))
    after = given(*a_doctor(), existing).when(update(time_zone="America/New_York")).then_given()
    nine = on(date(2026, 3, 9), "09:00", "America/New_York")

    assert after.book.appointments[existing.appointment_id].visit.starts == monday("10:00")
    after.when(book(monday("09:00"), by=BY_STAFF)).then(Reason.OUTSIDE_HOURS)
    after.when(book(nine, by=BY_STAFF, appointment=OTHER_APPOINTMENT)).then(
        booked(nine, appointment=OTHER_APPOINTMENT, time_zone="America/New_York")
    )


def test_weekly_hours_are_replaced_as_a_whole() -> None:
    tuesday = entry(2, "14:00", "18:00")
    after = given(*a_doctor()).when(set_hours(tuesday)).then_given()

    given(*a_doctor()).when(set_hours(tuesday)).then(hours_set(tuesday))
    after.when(book(monday("09:00"))).then(Reason.OUTSIDE_HOURS)
    after.when(book(on(date(2026, 3, 10), "14:00"))).then(booked(on(date(2026, 3, 10), "14:00")))


def test_a_doctor_may_have_no_hours_at_all() -> None:
    given(*a_doctor()).when(set_hours()).then(hours_set())


def test_new_hours_leave_bookings_that_no_longer_fit() -> None:
    existing = booked(monday("10:00"))
    after = given(*a_doctor(), existing).when(set_hours()).then_given()

    assert [appointment.id for appointment in after.book.booked_by(existing.patient_id)] == [
        existing.appointment_id
    ]


def test_hours_outside_their_validity_do_not_open() -> None:
    only_in_april = entry(1, "09:00", "12:00", APRIL_1, APRIL_30)
    clinic = given(*a_doctor(hours=(only_in_april,)))

    for day, is_open in (
        (date(2026, 3, 30), False),
        (date(2026, 4, 6), True),
        (date(2026, 4, 27), True),
        (date(2026, 5, 4), False),
    ):
        start = on(day, "09:00")
        clinic.when(book(start)).then(booked(start) if is_open else Reason.OUTSIDE_HOURS)


def test_the_first_and_the_last_day_of_validity_are_included() -> None:
    that_monday = entry(1, "09:00", "12:00", date(2026, 4, 6), date(2026, 4, 6))

    given(*a_doctor(hours=(that_monday,))).when(book(on(date(2026, 4, 6), "09:00"))).then(
        booked(on(date(2026, 4, 6), "09:00"))
    )


OVERLAPPING = {
    "the same twice": (MONDAY_MORNING, MONDAY_MORNING),
    "one within another": (MONDAY_MORNING, entry(1, "10:00", "11:00")),
    "one beginning in another": (MONDAY_MORNING, entry(1, "11:59", "13:00")),
    "a later pair": (entry(1, "07:00", "08:00"), MONDAY_MORNING, entry(1, "11:00", "13:00")),
    "not with the next but the one after": (
        entry(1, "09:00", "12:00", valid_until=APRIL_30),
        entry(1, "10:00", "12:00", valid_from=MAY_1),
        entry(1, "11:00", "12:00", valid_until=APRIL_1),
    ),
    "valid together for a day": (
        entry(1, "09:00", "12:00", valid_until=APRIL_30),
        entry(1, "10:00", "12:00", valid_from=APRIL_30),
    ),
    "one valid for ever": (MONDAY_MORNING, entry(1, "10:00", "12:00", APRIL_1, APRIL_30)),
}

SIDE_BY_SIDE = {
    "touching": (entry(1, "10:00", "12:00"), entry(1, "09:00", "10:00")),
    "on different days": (MONDAY_MORNING, entry(2, "09:00", "12:00")),
    "valid one after the other": (
        entry(1, "09:00", "12:00", valid_until=APRIL_30),
        entry(1, "09:00", "12:00", valid_from=MAY_1),
    ),
    "valid one before the other": (
        entry(1, "09:00", "12:00", valid_from=MAY_1),
        entry(1, "10:00", "13:00", valid_until=APRIL_30),
    ),
}


@pytest.mark.parametrize("hours", OVERLAPPING.values(), ids=OVERLAPPING)
def test_hours_that_overlap_are_refused(hours: tuple[Hours, ...]) -> None:
    given(registered()).when(set_hours(*hours)).then(Reason.OVERLAPPING_HOURS)
    given(registered()).when(set_hours(*reversed(hours))).then(Reason.OVERLAPPING_HOURS)


@pytest.mark.parametrize("hours", SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE)
def test_hours_side_by_side_are_fine(hours: tuple[Hours, ...]) -> None:
    given(registered()).when(set_hours(*hours)).then(hours_set(*hours))


def test_a_doctors_visit_types_are_found_by_code() -> None:
    doctor = given(registered()).book.doctors[DOCTOR]

    assert [doctor.visit_type(visit_type.code) for visit_type in VISIT_TYPES] == list(VISIT_TYPES)
    assert doctor.visit_type("massage") is None
