"""Decide a batch in memory: commands in, decisions and events out. Pure; `booking_worker.store` writes it."""

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


@dataclass
class Batch:
    """What the decisions of one transaction come to."""

    book: Book
    event_counts: dict[int, int]
    decisions: list[Decision] = field(default_factory=list)
    command_types: list[str] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    dead_letters: list[tuple[Incoming, UndecodableError]] = field(default_factory=list)
    appointments: set[UUID] = field(default_factory=set)
    doctors: set[UUID] = field(default_factory=set)
    calendars: set[UUID] = field(default_factory=set)
    time_off: dict[UUID, TimeBlocked | TimeUnblocked] = field(default_factory=dict)

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
        context = self._context(item, type(command).__name__, command.fingerprint, command.actor)
        if isinstance(outcome, Refusal):
            facts: list[Fact] = [_refused(command, outcome)]
            self._note(item, context, State.REFUSED, outcome)
        else:
            facts = outcome
            self._note(item, context, State.CONFIRMED, None)
        json = context.model_dump_json()
        for number, fact in enumerate(facts):
            evolve(self.book, fact, item.at)
            self._touch(fact)
            self._add_event(item, command.command_id, number, str(command.doctor_id), fact, json)

    def _fail(self, item: Incoming, command_id: UUID, error: UndecodableError) -> None:
        command = item.command
        context = (
            self._context(item, type(command).__name__, command.fingerprint, command.actor)
            if command
            else Context(
                command_id=command_id,
                command_type="unknown",
                fingerprint=None,
                actor=NOBODY,
                decided_at=item.at,
                source=Source(partition=item.partition, offset=item.offset),
            )
        )
        self._note(item, context, State.FAILED, None)
        fact = CommandFailed(reason=error.reason, doctor_id=command.doctor_id if command else None)
        key = (item.record.key or b"").decode("utf-8", "replace").replace("\x00", "\ufffd")
        self._add_event(item, command_id, 0, key, fact, context.model_dump_json())

    def _context(self, item: Incoming, command_type: str, fingerprint: str, actor: Actor) -> Context:
        assert item.command_id is not None, "only commands with an id have a context"
        return Context(
            command_id=item.command_id,
            command_type=command_type,
            fingerprint=fingerprint,
            actor=actor,
            decided_at=item.at,
            source=Source(partition=item.partition, offset=item.offset),
        )

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
                event_id=uuid5(command_id, f"event {number}"),
                type=type(fact).__name__,
                key=key,
                subject=str(getattr(fact, "appointment_id", None) or key),
                command_id=command_id,
                decided_at=item.at,
                traceparent=item.traceparent,
                data=encode_data(context, fact),
            )
        )

    def _touch(self, fact: Fact) -> None:
        match fact:
            case AppointmentRescheduled():
                self.appointments.add(fact.appointment_id)
                self.calendars |= {fact.doctor_id, fact.previous.doctor_id}
            case AppointmentFact() | OutcomeRecorded():
                self.appointments.add(fact.appointment_id)
                self.calendars.add(fact.doctor_id)
            case DoctorRegistered() | WeeklyHoursSet():
                self.doctors.add(fact.doctor_id)
                self.calendars.add(fact.doctor_id)
            case TimeBlocked() | TimeUnblocked():
                self.time_off[fact.time_off_id] = fact
                self.calendars.add(fact.doctor_id)


def _as_error(forced: Refusal | UndecodableError | None) -> UndecodableError | None:
    return forced if isinstance(forced, UndecodableError) else None


def _refused(command: Command, refusal: Refusal) -> CommandRefused:
    return CommandRefused(
        reason=refusal.reason,
        count=refusal.count,
        doctor_id=command.doctor_id,
        appointment_id=getattr(command, "appointment_id", None),
        time_off_id=getattr(command, "time_off_id", None),
    )
