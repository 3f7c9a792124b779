"""Every reason for a refusal, at least once, and the order in which reasons are checked."""

import pytest

from contracts.commands import Command
from contracts.doctors import Policy
from contracts.events import Fact
from contracts.refusals import Reason, Refusal
from tests.unit.scheduling import asked
from tests.unit.scheduling.clinic import (
    BY_OTHER_PATIENT,
    BY_STAFF,
    NOW,
    OTHER_APPOINTMENT,
    OTHER_DOCTOR,
    OTHER_PATIENT,
    a_doctor,
    appointment_id,
    blocked,
    booked,
    cancelled,
    ended,
    entry,
    monday,
    registered,
)
from tests.unit.scheduling.given import given

NINE, TEN = monday("09:00"), monday("10:00")
MINE = booked(TEN)
OTHERS = booked(TEN, patient=OTHER_PATIENT, appointment=OTHER_APPOINTMENT)
ELSEWHERE = booked(TEN, doctor=OTHER_DOCTOR, appointment=OTHER_APPOINTMENT)
LATER = booked(monday("11:30"), appointment=appointment_id(3))
STRICT = Policy(min_notice_minutes=100_000, change_notice_minutes=100_000)
ONLY_ONE = Policy(max_active_per_patient=1)
AWAY = blocked(TEN, monday("11:00"))

Case = tuple[Reason | Refusal, tuple[Fact, ...], Command]
CASES: list[Case] = [
    (Reason.SLOT_TAKEN, (*a_doctor(), OTHERS), asked.book(TEN)),
    (Reason.PATIENT_BUSY, (*a_doctor(), *a_doctor(OTHER_DOCTOR), ELSEWHERE), asked.book(TEN)),
    (Reason.OUTSIDE_HOURS, a_doctor(), asked.book(monday("12:00"))),
    (Reason.IN_TIME_OFF, (*a_doctor(), AWAY), asked.book(TEN)),
    (Reason.NOT_A_SLOT, a_doctor(), asked.book(monday("09:05"))),
    (Reason.IN_THE_PAST, a_doctor(), asked.book(NOW)),
    (Reason.IN_THE_PAST, a_doctor(), asked.block(NOW.replace(hour=11), NOW)),
    (Reason.TOO_SOON, a_doctor(policy=STRICT), asked.book(NINE)),
    (Reason.TOO_FAR_AHEAD, a_doctor(policy=Policy(horizon_days=1)), asked.book(NINE)),
    (Reason.TOO_LATE_TO_CHANGE, (*a_doctor(policy=STRICT), MINE), asked.cancel()),
    (Reason.TOO_LATE_TO_CHANGE, (*a_doctor(policy=STRICT), MINE), asked.reschedule(NINE)),
    (
        Reason.TOO_MANY_ACTIVE,
        (*a_doctor(policy=ONLY_ONE), LATER),
        asked.book(NINE),
    ),
    (Reason.UNKNOWN_DOCTOR, (), asked.book(NINE)),
    (Reason.UNKNOWN_DOCTOR, (*a_doctor(), MINE), asked.reschedule(NINE, doctor=OTHER_DOCTOR)),
    (Reason.UNKNOWN_DOCTOR, a_doctor(), asked.update(OTHER_DOCTOR)),
    (Reason.UNKNOWN_DOCTOR, a_doctor(), asked.set_hours(doctor=OTHER_DOCTOR)),
    (Reason.UNKNOWN_DOCTOR, a_doctor(), asked.block(NINE, TEN, doctor=OTHER_DOCTOR)),
    (Reason.UNKNOWN_DOCTOR, (*a_doctor(), AWAY), asked.unblock(OTHER_DOCTOR)),
    (Reason.DOCTOR_INACTIVE, a_doctor(active=False), asked.book(NINE, by=BY_STAFF)),
    (Reason.DOCTOR_INACTIVE, (*a_doctor(active=False), MINE), asked.reschedule(NINE)),
    (Reason.UNKNOWN_VISIT_TYPE, a_doctor(), asked.book(NINE, "massage")),
    (Reason.UNKNOWN_APPOINTMENT, a_doctor(), asked.reschedule(NINE)),
    (Reason.UNKNOWN_APPOINTMENT, a_doctor(), asked.cancel()),
    (Reason.UNKNOWN_APPOINTMENT, a_doctor(), asked.record()),
    (Reason.NOT_BOOKED, (*a_doctor(), MINE, ended(MINE)), asked.cancel()),
    (Reason.NOT_BOOKED, (*a_doctor(), MINE, cancelled(MINE)), asked.reschedule(NINE)),
    (Reason.NOT_BOOKED, (*a_doctor(), MINE, cancelled(MINE)), asked.record()),
    (Reason.NOT_STARTED, (*a_doctor(), MINE), asked.record()),
    (Reason.NOT_YOURS, (*a_doctor(), MINE), asked.cancel(by=BY_OTHER_PATIENT)),
    (Reason.NOT_YOURS, (*a_doctor(), MINE), asked.reschedule(NINE, by=BY_OTHER_PATIENT)),
    (Refusal(Reason.CONFLICTS_WITH_BOOKINGS, 1), (*a_doctor(), MINE), asked.block(NINE, monday("12:00"))),
    (
        Reason.OVERLAPPING_HOURS,
        a_doctor(),
        asked.set_hours(entry(1, "09:00", "12:00"), entry(1, "11:00", "13:00")),
    ),
    (Reason.ALREADY_REGISTERED, (registered(),), asked.register()),
    (Reason.UNKNOWN_TIME_OFF, a_doctor(), asked.unblock()),
    (Reason.CHANGED_MEANWHILE, (*a_doctor(), MINE), asked.reschedule(NINE, expected_version=2)),
    (Reason.CHANGED_MEANWHILE, (*a_doctor(), MINE), asked.cancel(expected_version=2)),
    (Reason.CHANGED_MEANWHILE, (*a_doctor(), MINE), asked.record(expected_version=2)),
]


def reason_of(why: Reason | Refusal) -> str:
    return why.reason if isinstance(why, Refusal) else why


def name_of(value: object) -> str:
    return reason_of(value) if isinstance(value, Reason | Refusal) else type(value).__name__


@pytest.mark.parametrize(("why", "facts", "command"), CASES, ids=name_of)
def test_refused(why: Reason | Refusal, facts: tuple[Fact, ...], command: Command) -> None:
    given(*facts).when(command).then(why)


def test_every_reason_that_a_decision_can_give_is_tested() -> None:
    # Only the worker knows whether a key was used before.
    assert {reason_of(why) for why, _, _ in CASES} == set(Reason) - {Reason.IDEMPOTENCY_KEY_REUSED}


@pytest.mark.parametrize(("why", "facts", "command"), CASES, ids=name_of)
def test_a_refusal_changes_nothing(why: Reason | Refusal, facts: tuple[Fact, ...], command: Command) -> None:
    before = given(*facts)
    doctors, appointments = dict(before.book.doctors), dict(before.book.appointments)

    before.when(command).then(why)

    assert (before.book.doctors, before.book.appointments) == (doctors, appointments)


def test_time_is_checked_before_the_calendar_and_the_calendar_before_the_patient() -> None:
    strict = a_doctor(policy=STRICT)
    full = (*strict, *a_doctor(OTHER_DOCTOR), ELSEWHERE, booked(TEN, patient=OTHER_PATIENT))
    elsewhere_and_here = (*a_doctor(policy=ONLY_ONE), *a_doctor(OTHER_DOCTOR), ELSEWHERE, LATER)

    given(*full, AWAY).when(asked.book(monday("10:05")), monday("10:05")).then(Reason.IN_THE_PAST)
    given(*full, AWAY).when(asked.book(monday("10:05"))).then(Reason.TOO_SOON)
    given(*full, AWAY).when(asked.book(monday("10:05"), by=BY_STAFF)).then(Reason.NOT_A_SLOT)
    given(*full, AWAY).when(asked.book(TEN, by=BY_STAFF)).then(Reason.IN_TIME_OFF)
    given(*full).when(asked.book(TEN, by=BY_STAFF)).then(Reason.SLOT_TAKEN)
    given(*elsewhere_and_here).when(asked.book(TEN)).then(Reason.PATIENT_BUSY)
    given(*elsewhere_and_here).when(asked.book(NINE)).then(Reason.TOO_MANY_ACTIVE)
