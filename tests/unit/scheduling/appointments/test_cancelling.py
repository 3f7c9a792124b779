"""Cancelling an appointment."""

import pytest

from contracts.commands import Actor, ActorKind, VisitOutcome
from contracts.doctors import Policy
from contracts.events import CancelledBy, CommandConfirmed
from contracts.refusals import Reason
from tests.unit.scheduling.asked import book, cancel
from tests.unit.scheduling.clinic import (
    APPOINTMENT,
    BY_OTHER_PATIENT,
    BY_PATIENT,
    BY_STAFF,
    DOCTOR,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    PATIENT,
    SURGERY,
    a_doctor,
    booked,
    cancelled,
    ended,
    monday,
    moved,
    updated,
)
from tests.unit.scheduling.given import given

BOOKED = booked(monday("10:00"), SURGERY, reason="c2VhbGVk")
CLINIC = (*a_doctor(), *a_doctor(OTHER_DOCTOR), BOOKED)


def test_a_patient_cancels() -> None:
    given(*CLINIC).when(cancel()).then(cancelled(BOOKED, CancelledBy.PATIENT))


def test_staff_cancel_with_a_reason() -> None:
    given(*CLINIC).when(cancel(by=BY_STAFF, reason="doctor_ill")).then(
        cancelled(BOOKED, CancelledBy.STAFF, "doctor_ill")
    )


def test_cancelling_raises_the_version_and_names_the_freed_time() -> None:
    fact = cancelled(BOOKED, CancelledBy.PATIENT)

    assert (fact.version, fact.reason) == (2, "c2VhbGVk")
    assert (fact.occupied_from, fact.occupied_until) == (monday("09:45"), monday("11:30"))


def test_the_time_is_free_again_with_its_buffers() -> None:
    after = given(*CLINIC).when(cancel()).then_given()
    asked = book(
        monday("09:30"), SURGERY, by=BY_OTHER_PATIENT, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT
    )

    after.when(asked).then(
        booked(monday("09:30"), SURGERY, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
    )


@pytest.mark.parametrize("by", [BY_PATIENT, BY_STAFF], ids=["by the patient", "by staff"])
def test_cancelling_twice_is_confirmed_and_changes_nothing(by: Actor) -> None:
    after = given(*CLINIC, cancelled(BOOKED))
    before = dict(after.book.appointments)

    again = after.when(cancel(by=by), monday("11:00"))

    again.then(CommandConfirmed(appointment_id=APPOINTMENT, doctor_id=DOCTOR))
    assert again.then_given().book.appointments == before


def test_another_patients_cancelled_appointment_is_not_revealed() -> None:
    given(*CLINIC, cancelled(BOOKED)).when(cancel(by=BY_OTHER_PATIENT)).then(Reason.NOT_YOURS)


def test_an_appointment_that_moved_meanwhile_is_cancelled_with_its_new_doctor() -> None:
    elsewhere = moved(BOOKED, booked(monday("10:00"), SURGERY, doctor=OTHER_DOCTOR))

    given(*CLINIC, elsewhere).when(cancel(doctor=DOCTOR)).then(cancelled(elsewhere, CancelledBy.PATIENT))
    assert cancelled(elsewhere).doctor_id == OTHER_DOCTOR
    assert cancelled(elsewhere).version == 3


@pytest.mark.parametrize("outcome", VisitOutcome)
def test_a_past_visit_cannot_be_cancelled(outcome: VisitOutcome) -> None:
    given(*CLINIC, ended(BOOKED, outcome)).when(cancel(by=BY_STAFF)).then(Reason.NOT_BOOKED)


def test_a_patient_keeps_the_change_notice_and_staff_need_not() -> None:
    clinic = given(*a_doctor(policy=Policy(change_notice_minutes=120)), BOOKED)

    clinic.when(cancel(), monday("08:00")).then(cancelled(BOOKED, CancelledBy.PATIENT))
    clinic.when(cancel(), monday("08:01")).then(Reason.TOO_LATE_TO_CHANGE)
    clinic.when(cancel(by=BY_STAFF), monday("08:01")).then(cancelled(BOOKED, CancelledBy.STAFF))
    clinic.when(cancel(by=BY_STAFF), monday("18:00")).then(cancelled(BOOKED, CancelledBy.STAFF))


def test_without_a_change_notice_a_patient_may_cancel_until_the_visit_begins() -> None:
    clinic = given(*a_doctor(policy=Policy(change_notice_minutes=0)), BOOKED)

    clinic.when(cancel(), monday("10:00")).then(cancelled(BOOKED, CancelledBy.PATIENT))
    clinic.when(cancel(), monday("10:01")).then(Reason.TOO_LATE_TO_CHANGE)


def test_the_notice_is_that_of_the_doctor_who_has_the_appointment_now() -> None:
    lenient, strict = Policy(change_notice_minutes=0), Policy(change_notice_minutes=100_000)
    elsewhere = moved(BOOKED, booked(monday("10:00"), SURGERY, doctor=OTHER_DOCTOR))
    clinic = given(*a_doctor(policy=lenient), *a_doctor(OTHER_DOCTOR, policy=strict), BOOKED, elsewhere)

    clinic.when(cancel(doctor=DOCTOR)).then(Reason.TOO_LATE_TO_CHANGE)


def test_an_inactive_doctors_appointment_can_be_cancelled() -> None:
    register, hours = a_doctor()
    inactive = updated(register, active=False)

    given(register, hours, BOOKED, inactive).when(cancel()).then(cancelled(BOOKED, CancelledBy.PATIENT))


@pytest.mark.parametrize(
    ("kind", "by"), [(ActorKind.STAFF, CancelledBy.STAFF), (ActorKind.SYSTEM, CancelledBy.CLINIC)]
)
def test_staff_and_the_clinic_itself_cancel_for_any_patient(kind: ActorKind, by: CancelledBy) -> None:
    given(*CLINIC).when(cancel(by=Actor(kind=kind, id=OTHER_PATIENT))).then(cancelled(BOOKED, by))


def test_the_system_cancels_for_a_forgotten_patient_without_notice() -> None:
    system = Actor(kind=ActorKind.SYSTEM, id=PATIENT)
    clinic = given(*a_doctor(policy=Policy(change_notice_minutes=120)), BOOKED)

    clinic.when(cancel(by=system, asked_by=ActorKind.PATIENT), monday("09:59")).then(
        cancelled(BOOKED, CancelledBy.PATIENT)
    )
