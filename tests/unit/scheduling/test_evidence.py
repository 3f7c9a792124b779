"""The evidence of a decision: the rows of other partitions that it read, and the reason of a refusal."""

from contracts.commands import Command
from contracts.doctors import Policy
from contracts.events import AppointmentFact, AppointmentSeen, Evidence, Fact
from scheduling.decide import decide
from scheduling.evidence import evidence_of
from tests.unit.scheduling.asked import block, book, cancel, record, reschedule
from tests.unit.scheduling.clinic import (
    BY_OTHER_PATIENT,
    BY_STAFF,
    DOCTOR,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    a_doctor,
    booked,
    cancelled,
    monday,
    moved,
)
from tests.unit.scheduling.given import given

BOOKED = booked(monday("10:00"))
ELSEWHERE = moved(BOOKED, booked(monday("10:00"), doctor=OTHER_DOCTOR))
CLINIC = (*a_doctor(), *a_doctor(OTHER_DOCTOR, policy=Policy(change_notice_minutes=60)), BOOKED)


def evidence(command: Command, *facts: Fact, at: str = "08:00") -> Evidence:
    state = given(*CLINIC, *facts).book
    return evidence_of(state, command, decide(state, command, monday(at)))


def seen(fact: AppointmentFact, status: str = "booked") -> Evidence:
    appointment = AppointmentSeen(appointment_id=fact.appointment_id, version=fact.version, status=status)
    return Evidence(appointments=(appointment,))


def test_most_decisions_depend_only_on_their_own_partition() -> None:
    assert evidence(book(monday("11:00"), appointment=OTHER_APPOINTMENT)) == Evidence()
    assert evidence(cancel()) == Evidence()
    assert evidence(reschedule(monday("11:00"))) == Evidence()
    assert evidence(record(), at="11:00") == Evidence()


def test_an_appointment_with_another_doctor_is_noted_and_that_doctors_notice_if_it_mattered() -> None:
    by_patient, by_staff = evidence(cancel(doctor=DOCTOR), ELSEWHERE), evidence(cancel(BY_STAFF), ELSEWHERE)

    assert by_patient == seen(ELSEWHERE).model_copy(update={"change_notice_minutes": 60})
    assert by_staff == seen(ELSEWHERE)


def test_an_appointment_that_is_not_booked_any_more_is_noted() -> None:
    gone = cancelled(BOOKED)

    assert evidence(cancel(), gone) == seen(gone, "cancelled")


def test_a_refusal_names_the_appointments_that_are_its_reason() -> None:
    taken = book(monday("10:00"), by=BY_OTHER_PATIENT, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    assert evidence(taken) == seen(BOOKED)
    assert evidence(book(monday("10:00"), doctor=OTHER_DOCTOR, appointment=OTHER_APPOINTMENT)) == seen(BOOKED)
    assert evidence(block(monday("09:00"), monday("12:00"))) == seen(BOOKED)


def test_an_appointment_is_not_evidence_against_its_own_move() -> None:
    later = booked(monday("10:30"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    assert evidence(reschedule(monday("10:30")), later) == seen(later)


def test_without_evidence_nothing_is_written() -> None:
    assert Evidence().model_dump_json() == "{}"
