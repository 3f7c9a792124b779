"""The rules: which notifications an event requires, and their deadlines. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.challenges import LoginChallenge
from contracts.cloudevents import Event
from contracts.events import AppointmentBooked, AppointmentCancelled, AppointmentFact, AppointmentRescheduled
from notifier.content import Kind, login_code_id, notification_id


@dataclass(frozen=True, slots=True)
class Terms:
    """The clinic's settings, and the time from which the notifier reports events."""

    reminder_hours: tuple[int, ...]
    notice_deadline: timedelta
    origin: datetime


@dataclass(frozen=True, slots=True)
class Planned:
    """A notification to be sent: a row of `notify.notifications`, in its order."""

    id: UUID
    kind: Kind
    appointment_id: UUID | None
    version: int | None
    hours_before: int | None
    challenge_id: UUID | None
    patient_id: UUID | None
    dated: datetime
    due_at: datetime
    deadline_at: datetime


def planned(event: Event, terms: Terms, now: datetime) -> Iterator[Planned]:
    """The notifications about an appointment.

    - A confirmation, reschedule or cancellation is due at once, and tried until `notice_deadline` has passed
      or the visit is over, whichever comes first. With the deadline passed and the visit to come it is
      planned all the same, so that it shows as undeliverable. Nobody is notified of events before `origin`.
    - A reminder is due its hours before the visit, and useful for half of that time. A visit that was
      booked or moved later than that gets no such reminder.
    """
    fact, decided_at = event.fact, event.context.decided_at
    kind = _notice(fact)
    if not isinstance(fact, AppointmentFact) or kind is None:
        return
    if terms.origin <= decided_at and now < fact.ends_at:
        deadline_at = min(decided_at + terms.notice_deadline, fact.ends_at)
        yield _about(fact, kind, None, decided_at, deadline_at)
    if kind == Kind.CANCELLATION:
        return
    for hours in terms.reminder_hours:
        due_at = fact.starts_at - timedelta(hours=hours)
        deadline_at = due_at + timedelta(hours=hours) / 2
        if decided_at <= due_at and now < deadline_at:
            yield _about(fact, Kind.REMINDER, hours, due_at, deadline_at)


def planned_code(challenge: LoginChallenge, now: datetime) -> Planned | None:
    """The notification with a login code; None if it has expired."""
    if challenge.expires_at <= now:
        return None
    return Planned(
        id=login_code_id(challenge.challenge_id),
        kind=Kind.LOGIN_CODE,
        appointment_id=None,
        version=None,
        hours_before=None,
        challenge_id=challenge.challenge_id,
        patient_id=challenge.patient_id,
        dated=now,
        due_at=now,
        deadline_at=challenge.expires_at,
    )


def _notice(fact: object) -> Kind | None:
    match fact:
        case AppointmentBooked():
            return Kind.CONFIRMATION
        case AppointmentRescheduled():
            return Kind.RESCHEDULE
        case AppointmentCancelled():
            return Kind.CANCELLATION
        case _:
            return None


def _about(
    fact: AppointmentFact, kind: Kind, hours: int | None, due_at: datetime, deadline_at: datetime
) -> Planned:
    return Planned(
        id=notification_id(fact.appointment_id, fact.version, kind, hours),
        kind=kind,
        appointment_id=fact.appointment_id,
        version=fact.version,
        hours_before=hours,
        challenge_id=None,
        patient_id=fact.patient_id,
        dated=due_at,
        due_at=due_at,
        deadline_at=deadline_at,
    )
