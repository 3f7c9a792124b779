"""Rescheduling: it stays the same appointment, and does not conflict with itself."""

from datetime import timedelta

import pytest

from contracts.doctors import Policy
from contracts.events import CommandConfirmed, Fact
from contracts.refusals import Reason
from tests.unit.scheduling.asked import book, reschedule
from tests.unit.scheduling.clinic import (
    BY_OTHER_PATIENT,
    BY_STAFF,
    NOW,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    SHORT,
    SURGERY,
    a_doctor,
    appointment_id,
    booked,
    cancelled,
    ended,
    monday,
    moved,
)
from tests.unit.scheduling.given import given

BOOKED = booked(monday("10:00"), reason="c2VhbGVk")
CLINIC = (*a_doctor(), *a_doctor(OTHER_DOCTOR), BOOKED)


def test_it_keeps_its_id_patient_and_reason_and_raises_its_version() -> None:
    to_eleven = moved(BOOKED, booked(monday("11:00")))

    given(*CLINIC).when(reschedule(monday("11:00"))).then(to_eleven)
    assert (to_eleven.appointment_id, to_eleven.patient_id) == (BOOKED.appointment_id, BOOKED.patient_id)
    assert (to_eleven.reason, to_eleven.version) == ("c2VhbGVk", 2)
    assert (to_eleven.previous.doctor_id, to_eleven.previous.starts_at) == (BOOKED.doctor_id, monday("10:00"))


def test_every_move_raises_the_version_and_names_the_previous_time() -> None:
    first = moved(BOOKED, booked(monday("11:00")))
    second = moved(first, booked(monday("09:00")))

    given(*CLINIC, first).when(reschedule(monday("09:00"))).then(second)
    assert (second.version, second.previous.starts_at) == (3, monday("11:00"))


def test_it_may_move_to_another_doctor() -> None:
    elsewhere = moved(BOOKED, booked(monday("10:00"), doctor=OTHER_DOCTOR))

    given(*CLINIC).when(reschedule(monday("10:00"), doctor=OTHER_DOCTOR)).then(elsewhere)
    assert elsewhere.previous.doctor_id == BOOKED.doctor_id


def test_the_old_doctors_time_is_free_and_the_new_doctors_taken() -> None:
    after = given(*CLINIC).when(reschedule(monday("10:00"), doctor=OTHER_DOCTOR)).then_given()
    to_the_old = book(
        monday("10:00"), by=BY_OTHER_PATIENT, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT
    )
    to_the_new = to_the_old.model_copy(update={"doctor_id": OTHER_DOCTOR})
    rebooked = booked(monday("10:00"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    after.when(to_the_old).then(rebooked)
    after.when(to_the_new).then(Reason.SLOT_TAKEN)


def test_a_move_to_the_same_time_is_confirmed_and_changes_nothing() -> None:
    nothing = CommandConfirmed(appointment_id=BOOKED.appointment_id, doctor_id=BOOKED.doctor_id)

    for command in (
        reschedule(monday("10:00")),
        reschedule(monday("10:00"), visit_type="checkup"),
        reschedule(monday("10:00"), by=BY_STAFF),
    ):
        given(*CLINIC).when(command).then(nothing)
        given(*CLINIC).when(command, monday("09:59")).then(nothing)
        after = given(*CLINIC).when(command).then_given()
        assert after.book.appointments[BOOKED.appointment_id].version == 1
    given(*CLINIC).when(reschedule(monday("10:00"), by=BY_OTHER_PATIENT)).then(Reason.NOT_YOURS)
    given(*CLINIC, cancelled(BOOKED)).when(reschedule(monday("10:00"))).then(Reason.NOT_BOOKED)


def test_it_keeps_the_time_of_its_booking() -> None:
    later = NOW + timedelta(hours=1)
    after = given(*CLINIC).when(reschedule(monday("11:00")), later).then_given()

    assert after.book.appointments[BOOKED.appointment_id].booked_at == NOW


@pytest.mark.parametrize("wall", ["09:45", "10:15"])
def test_it_does_not_conflict_with_itself(wall: str) -> None:
    given(*CLINIC).when(reschedule(monday(wall))).then(moved(BOOKED, booked(monday(wall))))


def test_nor_with_its_own_buffers() -> None:
    surgery = booked(monday("10:00"), SURGERY)

    given(*a_doctor(), surgery).when(reschedule(monday("10:15"))).then(
        moved(surgery, booked(monday("10:15"), SURGERY))
    )


def test_another_appointment_conflicts_with_it() -> None:
    existing = booked(monday("11:00"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
    clinic = given(*CLINIC, existing)

    clinic.when(reschedule(monday("10:30"))).then(moved(BOOKED, booked(monday("10:30"))))
    for wall in ("10:45", "11:00", "11:15"):
        clinic.when(reschedule(monday(wall), by=BY_STAFF)).then(Reason.SLOT_TAKEN)


def test_so_do_the_patients_other_appointments() -> None:
    elsewhere = booked(monday("11:00"), doctor=OTHER_DOCTOR, appointment=OTHER_APPOINTMENT)

    given(*CLINIC, elsewhere).when(reschedule(monday("10:45"))).then(Reason.PATIENT_BUSY)


def test_the_visit_type_stays_unless_another_is_given() -> None:
    given(*CLINIC).when(reschedule(monday("11:00"), "short")).then(
        moved(BOOKED, booked(monday("11:00"), SHORT))
    )
    given(*CLINIC).when(reschedule(monday("11:00"), "massage")).then(Reason.UNKNOWN_VISIT_TYPE)


def test_the_new_doctor_has_to_offer_its_visit_type() -> None:
    clinic = given(*a_doctor(), *a_doctor(OTHER_DOCTOR, visit_types=(SHORT,)), BOOKED)

    clinic.when(reschedule(monday("10:00"), doctor=OTHER_DOCTOR)).then(Reason.UNKNOWN_VISIT_TYPE)
    clinic.when(reschedule(monday("10:00"), "short", doctor=OTHER_DOCTOR)).then(
        moved(BOOKED, booked(monday("10:00"), SHORT, doctor=OTHER_DOCTOR))
    )


def test_it_has_the_present_length_of_the_visit_type() -> None:
    longer = SHORT.model_copy(update={"code": "checkup", "minutes": 45})
    clinic = given(*a_doctor(visit_types=(longer,)), BOOKED)

    clinic.when(reschedule(monday("11:00"))).then(moved(BOOKED, booked(monday("11:00"), longer)))


@pytest.mark.parametrize("gone", [cancelled(BOOKED), ended(BOOKED)], ids=["cancelled", "over"])
def test_only_a_booked_appointment_can_be_moved(gone: Fact) -> None:
    given(*CLINIC, gone).when(reschedule(monday("11:00"))).then(Reason.NOT_BOOKED)


def test_a_patient_keeps_the_change_notice_and_staff_need_not() -> None:
    clinic = given(*a_doctor(policy=Policy(change_notice_minutes=120, min_notice_minutes=0)), BOOKED)
    to_half_past_eleven = moved(BOOKED, booked(monday("11:30")))

    clinic.when(reschedule(monday("11:30")), monday("08:00")).then(to_half_past_eleven)
    clinic.when(reschedule(monday("11:30")), monday("08:01")).then(Reason.TOO_LATE_TO_CHANGE)
    clinic.when(reschedule(monday("11:30"), by=BY_STAFF), monday("09:59")).then(to_half_past_eleven)


def test_staff_may_move_a_visit_that_was_missed() -> None:
    given(*CLINIC).when(reschedule(monday("11:30"), by=BY_STAFF), monday("11:00")).then(
        moved(BOOKED, booked(monday("11:30")))
    )


def test_the_change_notice_is_the_old_doctors_and_all_other_rules_the_new_ones() -> None:
    lenient = Policy(change_notice_minutes=0, min_notice_minutes=0, horizon_days=3_660)
    strict = Policy(change_notice_minutes=100_000, min_notice_minutes=0, horizon_days=1)
    to_other = reschedule(monday("10:00"), doctor=OTHER_DOCTOR)

    given(*a_doctor(policy=lenient), *a_doctor(OTHER_DOCTOR, policy=strict), BOOKED).when(to_other).then(
        Reason.TOO_FAR_AHEAD
    )
    given(*a_doctor(policy=strict), *a_doctor(OTHER_DOCTOR, policy=lenient), BOOKED).when(to_other).then(
        Reason.TOO_LATE_TO_CHANGE
    )


def test_it_does_not_count_against_itself() -> None:
    limited = a_doctor(policy=Policy(max_active_per_patient=1))

    given(*limited, BOOKED).when(reschedule(monday("11:00"))).then(moved(BOOKED, booked(monday("11:00"))))


def test_moving_to_another_doctor_counts_with_that_doctor() -> None:
    limited = a_doctor(OTHER_DOCTOR, policy=Policy(max_active_per_patient=1))
    existing = booked(monday("09:00"), doctor=OTHER_DOCTOR, appointment=appointment_id(7))
    to_other = monday("11:00")

    clinic = given(*a_doctor(), *limited, BOOKED, existing)
    clinic.when(reschedule(to_other, doctor=OTHER_DOCTOR)).then(Reason.TOO_MANY_ACTIVE)
    clinic.when(reschedule(to_other, doctor=OTHER_DOCTOR, by=BY_STAFF)).then(
        moved(BOOKED, booked(to_other, doctor=OTHER_DOCTOR))
    )


def test_an_inactive_doctor_takes_no_moved_appointments_either() -> None:
    inactive = a_doctor(OTHER_DOCTOR, active=False)

    given(*a_doctor(), *inactive, BOOKED).when(reschedule(monday("10:00"), doctor=OTHER_DOCTOR)).then(
        Reason.DOCTOR_INACTIVE
    )
