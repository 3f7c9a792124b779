"""One partition's commands decided again, from an empty book, against what is recorded of them."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from booking_worker.deciding import context_of, event_id, key_of
from booking_worker.incoming import Incoming
from booking_worker.recorded import Recorded
from contracts.dead_letters import DeadLetterReason
from contracts.events import CommandFailed, CommandRefused, Fact
from ops.replay.elsewhere import Elsewhere
from ops.replay.explaining import explain, facts_of
from scheduling.evolve import evolve
from scheduling.state import Book


@dataclass(frozen=True)
class Finding:
    """What does not fit. `offset` and `command_id` are the command's, where there is one."""

    partition: int
    offset: int | None
    command_id: UUID | None
    what: str
    recorded: str = ""
    decided: str = ""


@dataclass(frozen=True)
class Letters:
    """A partition's dead letters: the reason by the offset of the command. `kept`: none has expired yet."""

    reasons: Mapping[int, str]
    kept: bool

    def has(self, offset: int, reason: str | None) -> bool:
        """Whether the record was set aside, for that reason; True where it can't be known any more."""
        if offset not in self.reasons:
            return not self.kept
        return reason in (None, self.reasons[offset])


class Redecision:
    """Takes a partition's records in order, each with the events that are recorded of it."""

    def __init__(self, elsewhere: Elsewhere, letters: Letters) -> None:
        self.commands = 0
        self.findings: list[Finding] = []
        self._elsewhere = elsewhere
        self._letters = letters
        self._book = Book()
        self._decided: set[UUID] = set()

    async def take(self, item: Incoming, events: list[Recorded]) -> None:
        """Decide one record again, if it is a command that was not decided before."""
        self.commands += 1
        if not events:
            await self._made_nothing(item)
            return
        facts = [one.event.fact for one in events]
        self._check_frame(item, events)
        if isinstance(facts[0], CommandFailed):
            self._failed(item, facts)
        elif item.command is None:
            self._note(item, "cannot be decided", describe(facts), f"{item.error}")
        else:
            await self._decide(item, facts, events[0].row.sequence)
        for fact in facts:
            with contextlib.suppress(KeyError):  # that is a finding already
                evolve(self._book, fact, item.at)

    async def _made_nothing(self, item: Incoming) -> None:
        id_ = item.command_id
        if item.error is not None and not self._letters.has(item.offset, None):
            self._note(item, "neither decided nor set aside", "nothing", f"{item.error}")
        if id_ is None or id_ in self._decided:
            return  # a repeat has no effect
        if not await self._elsewhere.decided_elsewhere(id_, item.partition):
            self._note(item, "no decision is recorded", "nothing", self._anew(item))

    def _failed(self, item: Incoming, facts: list[Fact]) -> None:
        # Whether it can be read, or makes a bug appear, is a matter of the version that met it.
        reason = facts[0].reason if isinstance(facts[0], CommandFailed) else None
        if len(facts) > 1 or not self._letters.has(item.offset, reason):
            self._note(item, "failed, and is not set aside", describe(facts))

    async def _decide(self, item: Incoming, recorded: list[Fact], sequence: int) -> None:
        if facts_of(self._book, item) == recorded:
            return
        steps = await explain(self._book, self._elsewhere, item, recorded, sequence)
        if steps is None:
            self._note(item, "another outcome", describe(recorded), self._anew(item))
            return
        for appointment in steps:
            self._book.put(appointment)

    def _anew(self, item: Incoming) -> str:
        if item.command is None:
            return f"{item.error}"
        facts = facts_of(self._book, item)
        return "not with what this partition knows" if facts is None else describe(facts)

    def _check_frame(self, item: Incoming, events: list[Recorded]) -> None:
        """What surrounds the facts: whose event it is, its id, key, subject, time and trace."""
        first = events[0].event.context
        if first.command_id in self._decided:
            self._note(item, "decided a second time", describe([one.event.fact for one in events]))
        self._decided.add(first.command_id)
        if item.command_id is None:
            self._note(item, "decided, and has no command's id", str(first.command_id))
            return
        expected, key = context_of(item, item.command_id), key_of(item)
        failed = isinstance(events[0].event.fact, CommandFailed)
        for number, (event, row) in enumerate(events):
            context = event.context
            # What type a record that failed was is known by the version that could read it.
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

    def _note(self, item: Incoming, what: str, recorded: str = "", decided: str = "") -> None:
        self.findings.append(Finding(item.partition, item.offset, item.command_id, what, recorded, decided))


def describe(facts: list[Fact]) -> str:
    """Facts in a line: all that they say, as it may be any of it that differs."""
    return "; ".join(_describe(fact) for fact in facts)


def _describe(fact: Fact) -> str:
    if isinstance(fact, CommandRefused):
        return f"refused {fact.reason}" + (f" ({fact.count})" if fact.count is not None else "")
    return f"{type(fact).__name__} {fact.model_dump_json(exclude_none=True)}"
