"""The decisions of one transaction, collected in memory; `booking_worker.store` writes them.

No I/O and no clock. Decisions come in by `decide_all`, or, where events are folded instead, by `add_decision`
and `apply` (`booking_worker.recovery.fold`).
"""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from booking_worker.decide.command_record import CommandRecord
from contracts.commands import Actor, ActorKind, Command
from contracts.dead_letters import UndecodableError
from contracts.decision import Decision, State
from contracts.events import (
    AppointmentFact,
    AppointmentRescheduled,
    CommandFailed,
    CommandRefused,
    Context,
    DoctorFact,
    Evidence,
    Fact,
    OutcomeRecorded,
    Source,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
    encode_data,
)
from contracts.refusals import Refusal
from infra.zones import zone_data_version
from scheduling.decide import decide
from scheduling.evidence import evidence_of
from scheduling.evolve import evolve
from scheduling.state import Appointment, Book
from storage.rows import EventRow

NOBODY = Actor(kind=ActorKind.SYSTEM, id=UUID(int=0))


def event_id(command_id: UUID, number: int) -> UUID:
    """The id of a decision's event, from 0: the same whenever it is decided (RFC 9562, version 5)."""
    return uuid5(command_id, f"event {number}")


@dataclass
class DecisionBatch:
    """The decisions of one transaction and what has to be written because of them.

    `book` is what was loaded; decisions change it. `event_counts` has the number of events of each partition
    so far, and after. `calendars` counts the facts that change what a doctor's calendar shows; `versions` are
    those of the appointments as they were loaded.
    """

    book: Book
    event_counts: dict[int, int]
    decisions: list[Decision] = field(default_factory=list)
    command_types: list[str] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    dead_letters: list[tuple[CommandRecord, UndecodableError]] = field(default_factory=list)
    appointments: set[UUID] = field(default_factory=set)
    doctors: set[UUID] = field(default_factory=set)
    calendars: Counter[UUID] = field(default_factory=Counter)
    time_off: dict[UUID, TimeBlocked | TimeUnblocked] = field(default_factory=dict)
    before: dict[UUID, Appointment] = field(init=False)

    def __post_init__(self) -> None:
        self.before = dict(self.book.appointments)

    def decide_all(
        self,
        records: list[CommandRecord],
        decided_before: Container[UUID],
        forced: Mapping[CommandRecord, Refusal | UndecodableError],
    ) -> None:
        """Decide the commands in order; those with an id that was decided before are skipped.

        `forced` has the outcome of commands that `decide` is not asked about again.
        """
        seen: set[UUID] = set()
        for record in records:
            command_id = record.command_id
            known = command_id is not None and (command_id in seen or command_id in decided_before)
            error = _as_error(forced.get(record)) or record.error
            if error is not None:
                self.dead_letters.append((record, error))
                if command_id is not None and not known:
                    self._fail(record, command_id, error)
            elif record.command is not None and not known:
                self._decide(record, record.command, forced.get(record))
            if command_id is not None:
                seen.add(command_id)

    def add_decision(self, decision: Decision, command_type: str) -> None:
        """Add a decision."""
        self.decisions.append(decision)
        self.command_types.append(command_type)

    def apply(self, fact: Fact, event: EventRow) -> None:
        """Apply a fact to the book, and add its event and the rows that have to be written."""
        evolve(self.book, fact, event.decided_at)
        self._touch(fact)
        self.events.append(event)
        self.event_counts[event.partition] = event.sequence

    def _decide(
        self, record: CommandRecord, command: Command, forced: Refusal | UndecodableError | None
    ) -> None:
        outcome = forced if isinstance(forced, Refusal) else decide(self.book, command, record.at)
        evidence = evidence_of(self.book, command, outcome)
        context = context_of(record, command.command_id, evidence, zone_data_version())
        if isinstance(outcome, Refusal):
            self._add(record, context, State.REFUSED, outcome, [refused(command, outcome)])
        else:
            self._add(record, context, State.CONFIRMED, None, outcome)

    def _fail(self, record: CommandRecord, command_id: UUID, error: UndecodableError) -> None:
        doctor_id = record.command.doctor_id if record.command else None
        fact = CommandFailed(reason=error.reason, doctor_id=doctor_id)
        self._add(record, context_of(record, command_id), State.FAILED, None, [fact])

    def _add(
        self,
        record: CommandRecord,
        context: Context,
        state: State,
        refusal: Refusal | None,
        facts: list[Fact],
    ) -> None:
        decision = Decision(
            command_id=context.command_id,
            fingerprint=context.fingerprint,
            state=state,
            refusal=refusal,
            partition=record.partition,
            offset=record.offset,
            decided_at=record.at,
        )
        self.add_decision(decision, context.command_type)
        context_json = context.model_dump_json()
        key = str(record.command.doctor_id) if record.command else record.key
        for number, fact in enumerate(facts):
            event = EventRow(
                partition=record.partition,
                sequence=self.event_counts[record.partition] + 1,
                event_id=event_id(context.command_id, number),
                type=type(fact).__name__,
                key=key,
                subject=str(getattr(fact, "appointment_id", None) or key),
                command_id=context.command_id,
                decided_at=record.at,
                traceparent=record.traceparent,
                data=encode_data(context_json, fact),
            )
            self.apply(fact, event)

    def _touch(self, fact: Fact) -> None:
        match fact:
            case AppointmentRescheduled():
                self.appointments.add(fact.appointment_id)
                self.calendars.update({fact.doctor_id, fact.previous.doctor_id})
            case AppointmentFact() | OutcomeRecorded():
                self.appointments.add(fact.appointment_id)
                self.calendars[fact.doctor_id] += 1
            case DoctorFact() | WeeklyHoursSet():
                self.doctors.add(fact.doctor_id)
                self.calendars[fact.doctor_id] += 1
            case TimeBlocked() | TimeUnblocked():
                self.time_off[fact.time_off_id] = fact
                self.calendars[fact.doctor_id] += 1


def _as_error(forced: Refusal | UndecodableError | None) -> UndecodableError | None:
    return forced if isinstance(forced, UndecodableError) else None


def context_of(
    record: CommandRecord, command_id: UUID, evidence: Evidence | None = None, zone_data: str | None = None
) -> Context:
    """The context of all events of a record's decision, made with this version of the zone data."""
    command = record.command
    return Context(
        command_id=command_id,
        command_type=type(command).__name__ if command else "unknown",
        fingerprint=command.fingerprint if command else None,
        actor=command.actor if command else NOBODY,
        decided_at=record.at,
        source=Source(partition=record.partition, offset=record.offset),
        evidence=evidence,
        zone_data=zone_data,
    )


def refused(command: Command, refusal: Refusal) -> CommandRefused:
    """The fact of a refusal."""
    return CommandRefused(
        reason=refusal.reason,
        count=refusal.count,
        doctor_id=command.doctor_id,
        appointment_id=getattr(command, "appointment_id", None),
        time_off_id=getattr(command, "time_off_id", None),
    )
