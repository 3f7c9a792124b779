"""The notifications that an event requires, and those that it is too late for."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.challenges import LoginChallenge
from contracts.cloudevents import Event
from contracts.commands import Actor, ActorKind, VisitOutcome
from contracts.events import Context, Fact, OutcomeRecorded, Source
from notifier.content import notification_id
from notifier.plan.rules import Terms, planned, planned_code
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
    """The kinds planned, reminders as their hours."""
    notifications = planned(event(fact, decided_at), terms, now or decided_at)
    return [
        f"{notification.kind} {notification.hours_before}" if notification.hours_before else notification.kind
        for notification in notifications
    ]


def test_a_booking_is_confirmed_and_gets_reminders() -> None:
    week_before = VISIT_AT - 168 * HOUR
    notifications = list(planned(event(BOOKED, week_before), TERMS, week_before))

    assert [
        (notification.kind, notification.due_at, notification.dated) for notification in notifications
    ] == [
        ("confirmation", week_before, week_before),
        ("reminder", VISIT_AT - 24 * HOUR, VISIT_AT - 24 * HOUR),
        ("reminder", VISIT_AT - 2 * HOUR, VISIT_AT - 2 * HOUR),
    ]
    assert {
        (notification.appointment_id, notification.version, notification.patient_id)
        for notification in notifications
    } == {(APPOINTMENT, 1, PATIENT)}


def test_a_move_is_notified_with_reminders_and_a_cancellation_without() -> None:
    week_before = VISIT_AT - 168 * HOUR

    assert kinds(MOVED, week_before) == ["reschedule", "reminder 24", "reminder 2"]
    assert kinds(CANCELLED, week_before) == ["cancellation"]


def test_other_events_are_not_notified() -> None:
    outcome = OutcomeRecorded(
        appointment_id=APPOINTMENT,
        doctor_id=UUID(int=5),
        patient_id=PATIENT,
        outcome=VisitOutcome.NO_SHOW,
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
def test_a_visit_booked_after_a_reminders_due_time_has_no_such_reminder(
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
def test_a_reminder_is_useful_for_half_of_its_time(before: timedelta, reminders: list[str]) -> None:
    month_before = VISIT_AT - 700 * HOUR

    assert kinds(BOOKED, month_before, VISIT_AT - before) == ["confirmation", *reminders]


@pytest.mark.parametrize("ago", [0 * HOUR, 71.9 * HOUR, 72 * HOUR, 1_000 * HOUR])
def test_an_old_event_is_planned_however_late_it_is_read(ago: timedelta) -> None:
    now = VISIT_AT - 168 * HOUR

    for fact, kind in ((BOOKED, "confirmation"), (MOVED, "reschedule"), (CANCELLED, "cancellation")):
        notice = next(planned(event(fact, now - ago), TERMS, now))
        assert (notice.kind, notice.deadline_at) == (kind, now - ago + 72 * HOUR)


def test_but_not_once_the_visit_is_over() -> None:
    decided_at = VISIT_AT - 5 * HOUR

    assert "confirmation" in kinds(BOOKED, decided_at, BOOKED.ends_at - HOUR / 60)
    assert kinds(BOOKED, decided_at, BOOKED.ends_at) == []


def test_events_from_before_the_notifier_only_get_reminders() -> None:
    now = VISIT_AT - 168 * HOUR
    young = Terms(TERMS.reminder_hours, TERMS.notice_deadline, origin=now)

    assert kinds(BOOKED, now - HOUR, now, young) == ["reminder 24", "reminder 2"]
    assert kinds(BOOKED, now, now, young) == ["confirmation", "reminder 24", "reminder 2"]


def test_without_reminders_there_are_none() -> None:
    none = Terms((), TERMS.notice_deadline, TERMS.origin)

    assert kinds(BOOKED, VISIT_AT - 168 * HOUR, terms=none) == ["confirmation"]


def test_a_notifications_id_depends_on_nothing_but_what_it_is_about() -> None:
    ids = [
        notification_id(APPOINTMENT, version, kind, hours)
        for version in (1, 2)
        for kind, hours in (("confirmation", None), ("reschedule", None), ("reminder", 24), ("reminder", 2))
    ]
    week_before = VISIT_AT - 168 * HOUR
    early, late = (
        [notification.id for notification in planned(event(BOOKED, week_before), TERMS, now)]
        for now in (week_before, week_before + HOUR)
    )

    assert early == late == [ids[0], ids[2], ids[3]]
    assert len(set(ids)) == len(ids)
    # Part of the mail's id at the patient's: it never changes.
    assert ids[0] == UUID("aeac591d-6d49-5bb0-82b6-8251c42c768b")


def test_a_code_is_sent_until_it_expires() -> None:
    challenge = LoginChallenge(challenge_id=UUID(int=9), patient_id=PATIENT, expires_at=VISIT_AT)

    notification = planned_code(challenge, VISIT_AT - HOUR)

    assert notification is not None
    assert (notification.kind, notification.due_at, notification.deadline_at) == (
        "login_code",
        VISIT_AT - HOUR,
        VISIT_AT,
    )
    assert planned_code(challenge, VISIT_AT) is None
