"""Recording the outcome of a visit, and correcting it."""

from datetime import datetime, timedelta

import pytest

from contracts.commands import VisitOutcome
from contracts.events import CommandConfirmed
from contracts.refusals import Reason
from scheduling.state import Status
from tests.unit.scheduling.asked import book, record
from tests.unit.scheduling.clinic import (
    APPOINTMENT,
    BY_STAFF,
    DOCTOR,
    MONDAY,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    SURGERY,
    a_doctor,
    booked,
    cancelled,
    ended,
    monday,
    moved,
    on,
)
from tests.unit.scheduling.given import given

BOOKED = booked(monday("10:00"), SURGERY, reason="c2VhbGVk")
CLINIC = (*a_doctor(), *a_doctor(OTHER_DOCTOR), BOOKED)
WEDNESDAY = MONDAY + timedelta(days=2)


@pytest.mark.parametrize("outcome", VisitOutcome)
def test_staff_record_the_outcome(outcome: VisitOutcome) -> None:
    noted = given(*CLINIC).when(record(outcome), monday("10:00"))

    noted.then(ended(BOOKED, outcome))
    assert noted.then_given().book.appointments[APPOINTMENT].status is Status(outcome)


def test_not_before_it_begins() -> None:
    given(*CLINIC).when(record(), monday("09:59")).then(Reason.NOT_STARTED)


def test_time_that_a_missed_visit_does_not_use_can_be_booked() -> None:
    after = given(*CLINIC).when(record(VisitOutcome.NO_SHOW), monday("10:20")).then_given()
    asked = book(monday("10:30"), by=BY_STAFF, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)

    after.when(asked, monday("10:21")).then(
        booked(monday("10:30"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
    )


def test_not_of_a_cancelled_visit() -> None:
    given(*CLINIC, cancelled(BOOKED)).when(record(), monday("11:00")).then(Reason.NOT_BOOKED)


@pytest.mark.parametrize(
    "now", [monday("11:00"), monday("11:00") + timedelta(days=1000)], ids=["soon", "late"]
)
def test_the_same_outcome_again_changes_nothing(now: datetime) -> None:
    again = record(VisitOutcome.NO_SHOW, expected_version=1)
    given(*CLINIC, ended(BOOKED, VisitOutcome.NO_SHOW)).when(again, now).then(
        CommandConfirmed(appointment_id=APPOINTMENT, doctor_id=DOCTOR)
    )


def test_an_outcome_is_corrected_until_the_end_of_the_next_local_day() -> None:
    missed = ended(BOOKED, VisitOutcome.NO_SHOW)
    midnight = on(WEDNESDAY, "00:00")
    correction = record(VisitOutcome.COMPLETED)

    given(*CLINIC, missed).when(correction, midnight).then(Reason.TOO_LATE_TO_CHANGE)
    corrected = given(*CLINIC, missed).when(correction, midnight - timedelta(microseconds=1))
    corrected.then(ended(missed, VisitOutcome.COMPLETED))
    assert corrected.then_given().book.appointments[APPOINTMENT].status is Status.COMPLETED


def test_a_correction_is_itself_corrected() -> None:
    missed = ended(BOOKED, VisitOutcome.NO_SHOW)
    came = ended(missed, VisitOutcome.COMPLETED)

    given(*CLINIC, missed, came).when(record(VisitOutcome.NO_SHOW), monday("12:00")).then(
        ended(came, VisitOutcome.NO_SHOW)
    )


def test_an_outcome_raises_the_version() -> None:
    later = moved(BOOKED, booked(monday("11:00"), SURGERY))

    given(*CLINIC, later).when(record(), monday("11:00")).then(ended(later))
    assert ended(later).version == 3


def test_of_two_outcomes_of_the_same_version_the_first_counts() -> None:
    first = given(*CLINIC).when(record(VisitOutcome.COMPLETED, expected_version=1), monday("10:05"))
    second = record(VisitOutcome.NO_SHOW, expected_version=1)

    first.then_given().when(second, monday("10:05")).then(Reason.CHANGED_MEANWHILE)
