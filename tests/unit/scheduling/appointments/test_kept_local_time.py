"""A visit whose zone has new rules moves, as it is, to where its local time is the promised one."""

from datetime import timedelta

import pytest

from contracts.commands import Actor, ActorKind, RescheduleAppointment
from contracts.events import AppointmentBooked
from contracts.refusals import Reason
from tests.unit.scheduling import asked
from tests.unit.scheduling.clinic import (
    BY_PATIENT,
    DOCTOR,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    SURGERY,
    a_doctor,
    blocked,
    booked,
    monday,
    moved,
    updated,
)
from tests.unit.scheduling.given import given

HOUR = timedelta(hours=1)
BY_SYSTEM = Actor(kind=ActorKind.SYSTEM, id=DOCTOR)
TEN = monday("10:00")
# Booked when Monday's offset was to be +02:00; by the rules of today the clocks show 09:00 then.
PROMISE, KEPT = "2026-03-09T10:00:00+02:00[Europe/Berlin]", "2026-03-09T10:00:00+01:00[Europe/Berlin]"
VISIT = booked(TEN - HOUR, SURGERY).model_copy(update={"promised_start": PROMISE})


def keep(by: Actor = BY_SYSTEM, version: int = 1, doctor: object = DOCTOR) -> RescheduleAppointment:
    return asked.reschedule(TEN, by=by, doctor=doctor, expected_version=version, promised_start=KEPT)  # type: ignore[arg-type]


def at_ten() -> AppointmentBooked:
    return booked(TEN, SURGERY)


def test_it_moves_with_its_length_and_buffers_and_names_both_promises() -> None:
    [fact] = given(*a_doctor(), VISIT).when(keep()).facts()

    assert fact == moved(VISIT, at_ten())
    assert (fact.promised_start, fact.previous.promised_start) == (KEPT, PROMISE)
    assert fact.occupied_until - fact.ends_at == timedelta(minutes=30)


def test_hours_and_visit_types_that_have_changed_since_do_not_count() -> None:
    doctor, _ = a_doctor()
    closed = updated(doctor, active=False, visit_types=doctor.visit_types[:1])

    given(*a_doctor(hours=()), VISIT, closed).when(keep()).then(moved(VISIT, at_ten()))


def test_a_second_command_changes_nothing() -> None:
    after = given(*a_doctor(), VISIT).when(keep()).then_given()

    [fact] = after.when(keep()).facts()

    assert type(fact).__name__ == "CommandConfirmed"


def test_a_visit_that_was_moved_meanwhile_stays_where_it_is() -> None:
    elsewhere = moved(VISIT, booked(monday("11:00"), SURGERY))
    with_other = moved(VISIT, booked(monday("11:00"), SURGERY, doctor=OTHER_DOCTOR))
    doctors = (*a_doctor(), *a_doctor(OTHER_DOCTOR))

    given(*doctors, VISIT, elsewhere).when(keep()).then(Reason.CHANGED_MEANWHILE)
    given(*doctors, VISIT, with_other).when(keep(version=2)).then(Reason.CHANGED_MEANWHILE)


@pytest.mark.parametrize(
    ("in_the_way", "reason"),
    [
        (blocked(TEN, TEN + HOUR), Reason.IN_TIME_OFF),
        (booked(monday("11:00"), patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT), Reason.SLOT_TAKEN),
        (booked(monday("10:30"), doctor=OTHER_DOCTOR, appointment=OTHER_APPOINTMENT), Reason.PATIENT_BUSY),
    ],
)
def test_what_stands_there_by_now_is_not_overrun(in_the_way: object, reason: Reason) -> None:
    given(*a_doctor(), *a_doctor(OTHER_DOCTOR), VISIT, in_the_way).when(keep()).then(reason)  # type: ignore[arg-type]


def test_not_into_the_past() -> None:
    given(*a_doctor(), VISIT).when(keep(), now=TEN).then(Reason.IN_THE_PAST)


def test_a_patient_cannot_move_a_visit_past_the_weekly_hours() -> None:
    given(*a_doctor(hours=()), VISIT).when(keep(by=BY_PATIENT)).then(Reason.OUTSIDE_HOURS)
