"""Which letters an event asks for, and which it is too late for."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.challenges import LoginChallenge
from contracts.commands import Actor, ActorKind, Outcome
from contracts.envelope import Event
from contracts.events import Context, Fact, OutcomeRecorded, Source
from notifier.identity import notification_id
from notifier.plan import Terms, planned, planned_code
from tests.notify.facts import booked, cancelled, moved

HOUR = timedelta(hours=1)
VISIT_AT = datetime(2026, 3, 29, 8, tzinfo=UTC)
PATIENT, APPOINTMENT = UUID(int=1), UUID(int=2)
BOOKED = booked(PATIENT, VISIT_AT, appointment_id=APPOINTMENT)
MOVED = moved(BOOKED, VISIT_AT + 24 * HOUR)
CANCELLED = cancelled(MOVED)
TERMS = Terms(reminder_hours=(24, 2), notice_deadline=72 * HOUR, origin=VISIT_AT - 10_000 * HOUR)


def event(fact: Fact, decided_at: datetime) -> Event:
    context = Context(
        command_id=UUID(int=3),
        command_type="Test",
        fingerprint="0" * 32,
        actor=Actor(kind=ActorKind.PATIENT, id=PATIENT),
        decided_at=decided_at,
        source=Source(partition=0, offset=0),
    )
    return Event(UUID(int=4), 1, context, fact)


def kinds(fact: Fact, decided_at: datetime, now: datetime | None = None, terms: Terms = TERMS) -> list[str]:
    """What is planned, reminders as their hours."""
    letters = planned(event(fact, decided_at), terms, now or decided_at)
    return [
        f"{letter.kind} {letter.hours_before}" if letter.hours_before else letter.kind for letter in letters
    ]


def test_a_booking_is_confirmed_and_reminded_of() -> None:
    week_before = VISIT_AT - 168 * HOUR
    letters = list(planned(event(BOOKED, week_before), TERMS, week_before))

    assert [(one.kind, one.due_at, one.dated) for one in letters] == [
        ("confirmation", week_before, week_before),
        ("reminder", VISIT_AT - 24 * HOUR, VISIT_AT - 24 * HOUR),
        ("reminder", VISIT_AT - 2 * HOUR, VISIT_AT - 2 * HOUR),
    ]
    assert {(one.appointment_id, one.version, one.patient_id) for one in letters} == {
        (APPOINTMENT, 1, PATIENT)
    }


def test_a_move_is_told_and_reminded_of_and_a_cancellation_only_told() -> None:
    week_before = VISIT_AT - 168 * HOUR

    assert kinds(MOVED, week_before) == ["reschedule", "reminder 24", "reminder 2"]
    assert kinds(CANCELLED, week_before) == ["cancellation"]


def test_whatever_else_happens_is_told_to_nobody() -> None:
    outcome = OutcomeRecorded(
        appointment_id=APPOINTMENT,
        doctor_id=UUID(int=5),
        patient_id=PATIENT,
        outcome=Outcome.NO_SHOW,
        version=3,
    )

    assert kinds(outcome, VISIT_AT) == []


@pytest.mark.parametrize(
    ("before", "reminders"),
    [
        (25 * HOUR, ["reminder 24", "reminder 2"]),
        (24 * HOUR, ["reminder 24", "reminder 2"]),
        (23 * HOUR, ["reminder 2"]),
        (2 * HOUR, ["reminder 2"]),
        (1 * HOUR, []),
    ],
)
def test_a_visit_booked_later_than_a_reminder_falls_due_has_no_such_reminder(
    before: timedelta, reminders: list[str]
) -> None:
    assert kinds(BOOKED, VISIT_AT - before) == ["confirmation", *reminders]


@pytest.mark.parametrize(
    ("before", "reminders"),
    [
        (25 * HOUR, ["reminder 24", "reminder 2"]),
        (12.5 * HOUR, ["reminder 24", "reminder 2"]),
        (12 * HOUR, ["reminder 2"]),
        (1.5 * HOUR, ["reminder 2"]),
        (1 * HOUR, []),
    ],
)
def test_a_reminder_is_of_use_for_half_of_its_time(before: timedelta, reminders: list[str]) -> None:
    month_before = VISIT_AT - 700 * HOUR

    assert kinds(BOOKED, month_before, VISIT_AT - before) == ["confirmation", *reminders]


@pytest.mark.parametrize("ago", [0 * HOUR, 71.9 * HOUR, 72 * HOUR, 1_000 * HOUR])
def test_what_happened_long_ago_is_planned_however_late_it_is(ago: timedelta) -> None:
    now = VISIT_AT - 168 * HOUR

    for fact, kind in ((BOOKED, "confirmation"), (MOVED, "reschedule"), (CANCELLED, "cancellation")):
        notice = next(planned(event(fact, now - ago), TERMS, now))
        assert (notice.kind, notice.deadline_at) == (kind, now - ago + 72 * HOUR)


def test_it_is_not_planned_once_the_visit_is_over() -> None:
    decided_at = VISIT_AT - 5 * HOUR

    assert "confirmation" in kinds(BOOKED, decided_at, BOOKED.ends_at - HOUR / 60)
    assert kinds(BOOKED, decided_at, BOOKED.ends_at) == []


def test_what_happened_before_the_notifier_is_only_reminded_of() -> None:
    now = VISIT_AT - 168 * HOUR
    young = Terms(TERMS.reminder_hours, TERMS.notice_deadline, origin=now)

    assert kinds(BOOKED, now - HOUR, now, young) == ["reminder 24", "reminder 2"]
    assert kinds(BOOKED, now, now, young) == ["confirmation", "reminder 24", "reminder 2"]


def test_without_reminders_there_are_none() -> None:
    none = Terms((), TERMS.notice_deadline, TERMS.origin)

    assert kinds(BOOKED, VISIT_AT - 168 * HOUR, terms=none) == ["confirmation"]


def test_a_letter_has_the_same_id_whenever_it_is_planned_and_no_other_has() -> None:
    ids = [
        notification_id(APPOINTMENT, version, kind, hours)
        for version in (1, 2)
        for kind, hours in (("confirmation", None), ("reschedule", None), ("reminder", 24), ("reminder", 2))
    ]
    week_before = VISIT_AT - 168 * HOUR
    early, late = (
        [one.id for one in planned(event(BOOKED, week_before), TERMS, now)]
        for now in (week_before, week_before + HOUR)
    )

    assert early == late == [ids[0], ids[2], ids[3]]
    assert len(set(ids)) == len(ids)
    # It names the mail at the patient's: it stays for ever.
    assert ids[0] == UUID("aeac591d-6d49-5bb0-82b6-8251c42c768b")


def test_a_code_is_sent_until_it_expires() -> None:
    challenge = LoginChallenge(challenge_id=UUID(int=9), patient_id=PATIENT, expires_at=VISIT_AT)

    letter = planned_code(challenge, VISIT_AT - HOUR)

    assert letter is not None
    assert (letter.kind, letter.due_at, letter.deadline_at) == ("login_code", VISIT_AT - HOUR, VISIT_AT)
    assert planned_code(challenge, VISIT_AT) is None
