"""Decides a partition's commands again, from an empty book, and compares with what is recorded."""

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from booking_worker.decide.command_record import CommandRecord
from booking_worker.decide.decision_batch import context_of, event_id
from booking_worker.recovery.recorded_event import Recorded
from contracts.dead_letters import DeadLetterReason
from contracts.events import CommandFailed, CommandRefused, Fact
from ops.replay.cross_partition import CrossPartition
from ops.replay.decide_again import facts_of
from ops.replay.other_partitions import OtherPartitions
from ops.replay.zone_rules import may_have_had_other_rules, promise_problem
from scheduling.evolve import evolve
from scheduling.state import Book


@dataclass(frozen=True)
class Finding:
    """A mismatch. `offset` and `command_id` are the command's, where there is one."""

    partition: int
    offset: int | None
    command_id: UUID | None
    problem: str
    recorded: str = ""
    decided: str = ""


@dataclass(frozen=True)
class Letters:
    """A partition's dead letters: the reason by offset of the command. `kept`: none has expired."""

    reasons: Mapping[int, str]
    kept: bool

    def has(self, offset: int, reason: str | None) -> bool:
        """True if the record was dead-lettered for that reason, or if that can no longer be known."""
        if offset not in self.reasons:
            return not self.kept
        return reason in (None, self.reasons[offset])


class Redecision:
    """Takes a partition's records in order, each with the events that are recorded of it.

    `hours_as_recorded` counts decisions of which the hours could not be checked, by the version of the zone
    data that they were made with.
    """

    def __init__(self, others: OtherPartitions, letters: Letters) -> None:
        self.commands = 0
        self.findings: list[Finding] = []
        self._others = others
        self._letters = letters
        self.hours_as_recorded: Counter[str] = Counter()
        self._book = Book()
        self._decided: set[UUID] = set()

    async def take(self, item: CommandRecord, events: list[Recorded]) -> None:
        """Decide one record again, if it is a command that was not decided before."""
        self.commands += 1
        if not events:
            await self._made_nothing(item)
            return
        facts = [recorded.event.fact for recorded in events]
        self._check_frame(item, events)
        if isinstance(facts[0], CommandFailed):
            self._failed(item, facts)
        elif item.command is None:
            self._note(item, "cannot be decided", describe(facts), f"{item.error}")
        else:
            await self._decide(item, facts, events[0])
        for fact in facts:
            with contextlib.suppress(KeyError):  # already a finding
                evolve(self._book, fact, item.at)

    async def _made_nothing(self, item: CommandRecord) -> None:
        id_ = item.command_id
        if item.error is not None and not self._letters.has(item.offset, None):
            self._note(item, "neither decided nor set aside", "nothing", f"{item.error}")
        if id_ is None or id_ in self._decided:
            return  # a repeat has no effect
        if not await self._others.decided(id_, item.partition):
            self._note(item, "no decision is recorded", "nothing", self._anew(item))

    def _failed(self, item: CommandRecord, facts: list[Fact]) -> None:
        # Whether it could be read, or caused a bug, depends on the version that processed it.
        reason = facts[0].reason if isinstance(facts[0], CommandFailed) else None
        if len(facts) > 1 or not self._letters.has(item.offset, reason):
            self._note(item, "failed, and is not set aside", describe(facts))

    async def _decide(self, item: CommandRecord, recorded: list[Fact], first: Recorded) -> None:
        assert item.command is not None, "only commands are decided"
        context, sequence = first.event.context, first.row.sequence
        again = CrossPartition(self._book, self._others, item, sequence)
        if not await again.fits(recorded, context.evidence):
            other_rules = may_have_had_other_rules(item.command, context)
            by_record = CrossPartition(self._book, self._others, item, sequence, hours=recorded)
            if not (other_rules and await by_record.fits(recorded, context.evidence)):
                self._note(item, "another outcome", describe(recorded), self._anew(item))
                return
            self.hours_as_recorded[context.zone_data or "unknown"] += 1
        if problem := promise_problem(self._book, item.command, context, recorded):
            self._note(item, problem, describe(recorded))

    def _anew(self, item: CommandRecord) -> str:
        if item.command is None:
            return f"{item.error}"
        facts = facts_of(self._book, item)
        return "not with what this partition knows" if facts is None else describe(facts)

    def _check_frame(self, item: CommandRecord, events: list[Recorded]) -> None:
        """Check the rest of the events: context, id, key, subject, time and trace."""
        first = events[0].event.context
        if first.command_id in self._decided:
            self._note(item, "decided a second time", describe([recorded.event.fact for recorded in events]))
        self._decided.add(first.command_id)
        if item.command_id is None:
            self._note(item, "decided, and has no command's id", str(first.command_id))
            return
        expected, key = context_of(item, item.command_id, first.evidence, first.zone_data), item.key
        failed = isinstance(events[0].event.fact, CommandFailed)
        for number, (event, row) in enumerate(events):
            context = event.context
            # The type of a record that failed depends on the version that read it.
            if failed and DeadLetterReason.HANDLER_ERROR is not getattr(event.fact, "reason", None):
                same = ("command_id", "decided_at", "source")
                fits = all(getattr(context, name) == getattr(expected, name) for name in same)
            else:
                fits = context == expected
            subject = str(getattr(event.fact, "appointment_id", None) or key)
            if not fits:
                self._note(item, "the event is not of this command", f"{context}", f"{expected}")
            elif (row.event_id, row.key, row.subject, row.traceparent) != (
                event_id(item.command_id, number),
                key,
                subject,
                item.traceparent,
            ):
                self._note(item, "the event has another id, key, subject or trace", f"{row[:-1]}")

    def _note(self, item: CommandRecord, problem: str, recorded: str = "", decided: str = "") -> None:
        self.findings.append(
            Finding(item.partition, item.offset, item.command_id, problem, recorded, decided)
        )


def describe(facts: list[Fact]) -> str:
    """Facts on one line, with all fields, because any of them may differ."""
    return "; ".join(_describe(fact) for fact in facts)


def _describe(fact: Fact) -> str:
    if isinstance(fact, CommandRefused):
        return f"refused {fact.reason}" + (f" ({fact.count})" if fact.count is not None else "")
    return f"{type(fact).__name__} {fact.model_dump_json(exclude_none=True)}"
