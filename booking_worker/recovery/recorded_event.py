"""Events read back from `booking.events.v1`, as they were decided, and folded as decisions are."""

from typing import NamedTuple

from aiokafka import ConsumerRecord

from booking_worker.decide.decision_batch import DecisionBatch, event_id
from contracts.cloudevents import Event, decode_known_event
from contracts.decision import Decision, State
from contracts.events import (
    AppointmentBooked,
    AppointmentFact,
    CommandFailed,
    CommandRefused,
    Context,
    Fact,
    OutcomeRecorded,
)
from contracts.refusals import Refusal
from scheduling.state import Book, Status
from storage.rows import EventRow


class Recorded(NamedTuple):
    """An event, and its row as it was written before it was published."""

    event: Event
    row: EventRow


def recorded(record: ConsumerRecord) -> Recorded:
    """The event that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    event = decode_known_event(record)
    headers = dict(record.headers)
    row = EventRow(
        partition=record.partition,
        sequence=event.sequence,
        event_id=event.id,
        type=type(event.fact).__name__,
        key=_text(record.key),
        subject=_text(headers.get("ce_subject")),
        command_id=event.context.command_id,
        decided_at=event.context.decided_at,
        traceparent=_text(headers["traceparent"]) if "traceparent" in headers else None,
        data=_text(record.value),
    )
    return Recorded(event, row)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def by_command(events: list[Recorded]) -> list[list[Recorded]]:
    """The events of each command together, in order."""
    commands: list[list[Recorded]] = []
    for recorded_ in events:
        if commands and commands[-1][0].event.context.source == recorded_.event.context.source:
            commands[-1].append(recorded_)
        else:
            commands.append([recorded_])
    return commands


def blocked_by(book: Book, command: list[Recorded]) -> str | None:
    """Why an event of another partition has to be folded before the command's; None if none has to be."""
    for event, _ in command:
        fact = event.fact
        match fact:
            case AppointmentBooked():
                ready = fact.appointment_id not in book.appointments
            case AppointmentFact() | OutcomeRecorded():
                found = book.appointments.get(fact.appointment_id)
                ready = found is not None and (found.version, found.status) == _before(fact)
            case _:
                continue
        if not ready:
            found = book.appointments.get(fact.appointment_id)
            has = f"{found.status}, version {found.version}" if found else "not there"
            made = f"{type(fact).__name__}, version {fact.version}"
            return f"{made}, of appointment {fact.appointment_id}, which is {has}"
    return None


def _before(fact: AppointmentFact | OutcomeRecorded) -> tuple[int, str]:
    """The version and the status of the appointment that the event changed."""
    if isinstance(fact, AppointmentFact):
        return fact.version - 1, Status.BOOKED
    if fact.previous_status is None:  # of an earlier release
        return fact.version, Status.BOOKED
    return fact.version - 1, fact.previous_status


def apply(batch: DecisionBatch, command: list[Recorded]) -> None:
    """Fold the events of one command, and its decision, into the batch. Nothing blocks it."""
    for event, row in command:
        if event.id == event_id(event.context.command_id, 0):
            batch.add_decision(decision_of(event.context, event.fact), event.context.command_type)
        batch.apply(event.fact, row)


def decision_of(context: Context, fact: Fact) -> Decision:
    """The decision that a command's first event tells."""
    state, refusal = State.CONFIRMED, None
    if isinstance(fact, CommandFailed):
        state = State.FAILED
    elif isinstance(fact, CommandRefused):
        state, refusal = State.REFUSED, Refusal(fact.reason, fact.count)
    return Decision(
        command_id=context.command_id,
        fingerprint=context.fingerprint,
        state=state,
        refusal=refusal,
        partition=context.source.partition,
        offset=context.source.offset,
        decided_at=context.decided_at,
    )
