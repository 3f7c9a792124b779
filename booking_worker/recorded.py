"""Events read back from `booking.events.v1`, as they were decided, and folded as decisions are."""

from typing import NamedTuple

from aiokafka import ConsumerRecord

from booking_worker.deciding import Batch, NewEvent, event_id
from contracts.command_resource import State
from contracts.decision import Decision
from contracts.envelope import Event, decode_event
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
from scheduling.evolve import evolve
from scheduling.state import Book, Status


class Recorded(NamedTuple):
    """An event, and its row as it was written before it was published."""

    event: Event
    row: NewEvent


def recorded(record: ConsumerRecord) -> Recorded:
    """The event that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    event = decode_event(record.value, record.headers)
    headers = dict(record.headers)
    row = NewEvent(
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
    for one in events:
        if commands and commands[-1][0].event.context.source == one.event.context.source:
            commands[-1].append(one)
        else:
            commands.append([one])
    return commands


def why_not_yet(book: Book, command: list[Recorded]) -> str | None:
    """Why a command's events cannot be folded before one of another partition is; None if they can."""
    for event, _ in command:
        fact = event.fact
        match fact:
            case AppointmentBooked():
                ready = fact.appointment_id not in book.appointments
            case AppointmentFact() | OutcomeRecorded():
                # An outcome leaves the version as it is.
                before = fact.version if isinstance(fact, OutcomeRecorded) else fact.version - 1
                found = book.appointments.get(fact.appointment_id)
                ready = found is not None and (found.version, found.status) == (before, Status.BOOKED)
            case _:
                continue
        if not ready:
            found = book.appointments.get(fact.appointment_id)
            has = f"{found.status}, version {found.version}" if found else "not there"
            made = f"{type(fact).__name__}, version {fact.version}"
            return f"{made}, of appointment {fact.appointment_id}, which is {has}"
    return None


def take_in(batch: Batch, command: list[Recorded]) -> None:
    """Fold the events of one command, and its decision, into the batch. Nothing says that it is not ready."""
    for event, row in command:
        if event.id == event_id(event.context.command_id, 0):
            batch.command_types.append(event.context.command_type)
            batch.decisions.append(decision_of(event.context, event.fact))
        evolve(batch.book, event.fact, event.context.decided_at)
        batch.touch(event.fact)
        batch.events.append(row)
        batch.event_counts[row.partition] = row.sequence


def decision_of(context: Context, fact: Fact) -> Decision:
    """The decision that a command's first event tells."""
    state, refusal = State.CONFIRMED, None
    if isinstance(fact, CommandFailed):
        state = State.FAILED
    elif isinstance(fact, CommandRefused):
        state, refusal = State.REFUSED, Refusal(fact.reason, fact.count)
    return Decision(
        *(context.command_id, context.fingerprint, state, refusal),
        *(context.source.partition, context.source.offset, context.decided_at),
    )
