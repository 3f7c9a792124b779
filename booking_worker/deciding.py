"""Decide a batch in memory: commands in, decisions and events out. Pure; `booking_worker.store` writes it."""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from booking_worker.incoming import Incoming
from contracts.command_resource import State
from contracts.commands import Actor, ActorKind, Command
from contracts.dead_letters import UndecodableError
from contracts.decision import Decision
from contracts.events import (
    AppointmentFact,
    AppointmentRescheduled,
    CommandFailed,
    CommandRefused,
    Context,
    DoctorRegistered,
    Fact,
    OutcomeRecorded,
    Source,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
    encode_data,
)
from contracts.refusals import Refusal
from scheduling.decide import decide
from scheduling.evolve import evolve
from scheduling.state import Book

NOBODY = Actor(kind=ActorKind.SYSTEM, id=UUID(int=0))


class NewEvent(NamedTuple):
    """An event as it is stored, in the order of the columns, and published."""

    partition: int
    sequence: int
    event_id: UUID
    type: str
    key: str
    subject: str
    command_id: UUID
    decided_at: datetime
    traceparent: str | None
    data: str


def event_id(command_id: UUID, number: int) -> UUID:
    """The id of a decision's event, from 0: the same whenever it is decided (RFC 9562, version 5)."""
    return uuid5(command_id, f"event {number}")


@dataclass
class Batch:
    """What the decisions of one transaction come to.

    `calendars` counts the facts that change what a doctor's calendar shows; `versions` are the appointments'
    as they were loaded.
    """

    book: Book
    event_counts: dict[int, int]
    decisions: list[Decision] = field(default_factory=list)
    command_types: list[str] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    dead_letters: list[tuple[Incoming, UndecodableError]] = field(default_factory=list)
    appointments: set[UUID] = field(default_factory=set)
    doctors: set[UUID] = field(default_factory=set)
    calendars: Counter[UUID] = field(default_factory=Counter)
    time_off: dict[UUID, TimeBlocked | TimeUnblocked] = field(default_factory=dict)
    versions: dict[UUID, int] = field(init=False)

    def __post_init__(self) -> None:
        self.versions = {id_: one.version for id_, one in self.book.appointments.items()}

    def decide_all(
        self,
        incoming: list[Incoming],
        decided_before: Container[UUID],
        forced: Mapping[Incoming, Refusal | UndecodableError],
    ) -> None:
        """Decide the commands in order; those with an id that was decided before are skipped.

        `forced` has the outcome of commands that `decide` is not asked about again. `event_counts` has the
        number of events of each partition so far, and after.
        """
        seen: set[UUID] = set()
        for item in incoming:
            command_id = item.command_id
            known = command_id is not None and (command_id in seen or command_id in decided_before)
            error = item.error or _as_error(forced.get(item))
            if error is not None:
                self.dead_letters.append((item, error))
                if command_id is not None and not known:
                    self._fail(item, command_id, error)
            elif item.command is not None and not known:
                self._decide(item, item.command, forced.get(item))
            if command_id is not None:
                seen.add(command_id)

    def _decide(self, item: Incoming, command: Command, forced: Refusal | UndecodableError | None) -> None:
        outcome = forced if isinstance(forced, Refusal) else decide(self.book, command, item.at)
        context = context_of(item, command.command_id)
        if isinstance(outcome, Refusal):
            facts: list[Fact] = [refused(command, outcome)]
            self._note(item, context, State.REFUSED, outcome)
        else:
            facts = outcome
            self._note(item, context, State.CONFIRMED, None)
        json = context.model_dump_json()
        for number, fact in enumerate(facts):
            evolve(self.book, fact, item.at)
            self.touch(fact)
            self._add_event(item, command.command_id, number, str(command.doctor_id), fact, json)

    def _fail(self, item: Incoming, command_id: UUID, error: UndecodableError) -> None:
        context = context_of(item, command_id)
        self._note(item, context, State.FAILED, None)
        doctor_id = item.command.doctor_id if item.command else None
        fact = CommandFailed(reason=error.reason, doctor_id=doctor_id)
        self._add_event(item, command_id, 0, key_of(item), fact, context.model_dump_json())

    def _note(self, item: Incoming, context: Context, state: State, refusal: Refusal | None) -> None:
        self.command_types.append(context.command_type)
        self.decisions.append(
            Decision(
                *(context.command_id, context.fingerprint, state, refusal),
                *(item.partition, item.offset, item.at),
            )
        )

    def _add_event(
        self, item: Incoming, command_id: UUID, number: int, key: str, fact: Fact, context: str
    ) -> None:
        sequence = self.event_counts[item.partition] = self.event_counts[item.partition] + 1
        self.events.append(
            NewEvent(
                partition=item.partition,
                sequence=sequence,
                event_id=event_id(command_id, number),
                type=type(fact).__name__,
                key=key,
                subject=str(getattr(fact, "appointment_id", None) or key),
                command_id=command_id,
                decided_at=item.at,
                traceparent=item.traceparent,
                data=encode_data(context, fact),
            )
        )

    def touch(self, fact: Fact) -> None:
        """Note what has to be written because of the fact."""
        match fact:
            case AppointmentRescheduled():
                self.appointments.add(fact.appointment_id)
                self.calendars.update({fact.doctor_id, fact.previous.doctor_id})
            case AppointmentFact() | OutcomeRecorded():
                self.appointments.add(fact.appointment_id)
                self.calendars[fact.doctor_id] += 1
            case DoctorRegistered() | WeeklyHoursSet():
                self.doctors.add(fact.doctor_id)
                self.calendars[fact.doctor_id] += 1
            case TimeBlocked() | TimeUnblocked():
                self.time_off[fact.time_off_id] = fact
                self.calendars[fact.doctor_id] += 1


def _as_error(forced: Refusal | UndecodableError | None) -> UndecodableError | None:
    return forced if isinstance(forced, UndecodableError) else None


def context_of(item: Incoming, command_id: UUID) -> Context:
    """What every event of a record's decision says."""
    command = item.command
    return Context(
        command_id=command_id,
        command_type=type(command).__name__ if command else "unknown",
        fingerprint=command.fingerprint if command else None,
        actor=command.actor if command else NOBODY,
        decided_at=item.at,
        source=Source(partition=item.partition, offset=item.offset),
    )


def key_of(item: Incoming) -> str:
    """The record's key as its events have it; a command's is its doctor's id."""
    return (item.record.key or b"").decode("utf-8", "replace").replace("\x00", "\ufffd")


def refused(command: Command, refusal: Refusal) -> CommandRefused:
    """The fact that a refusal makes."""
    return CommandRefused(
        reason=refusal.reason,
        count=refusal.count,
        doctor_id=command.doctor_id,
        appointment_id=getattr(command, "appointment_id", None),
        time_off_id=getattr(command, "time_off_id", None),
    )
