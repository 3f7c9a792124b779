"""The topics by themselves: every command decided once; events without a gap and in order (I1, I5)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tests.faults.checker.messages import (
    Command,
    Decision,
    Event,
    UnreadableError,
    command_id_in,
    instant,
    read_command,
    read_event,
)
from tests.faults.checker.records import Finding, Poison, Position, Record

# Reasons for which a command can be read but not decided.
HANDLER_ERROR = "handler_error"
# For these, nobody can tell which command an answer would belong to.
NAMELESS = "bad_header"


class Log:
    """The commands and the decisions.

    Attributes:
        commands: those that can be read, by position.
        decisions: each partition's, in order.
        decided: the decision of each command id.
    """

    def __init__(
        self, commands: Sequence[Record], events: Iterable[Record], poison: Iterable[Poison]
    ) -> None:
        self.findings: list[Finding] = []
        self.poison = {
            Position(sent_poison.partition, sent_poison.offset): sent_poison for sent_poison in poison
        }
        self.records = {Position(record.partition, record.offset): record for record in commands}
        self.commands: dict[Position, Command] = {}
        self.decisions: dict[int, list[Decision]] = {}
        self.decided: dict[str, Decision] = {}
        self._read_commands()
        by_partition: dict[int, list[Record]] = defaultdict(list)
        for record in events:
            by_partition[record.partition].append(record)
        for partition, records in sorted(by_partition.items()):
            self._decisions(partition, self._without_repeats(records))
        self._ids()
        self._all_decided()

    def all(self) -> Iterator[Decision]:
        """All decisions, partition after partition."""
        for decisions in self.decisions.values():
            yield from decisions

    def _find(self, invariant: str, text: str) -> None:
        self.findings.append(Finding(invariant, text))

    def _read_commands(self) -> None:
        for source, record in self.records.items():
            poison = self.poison.get(source)
            try:
                command = read_command(record)
            except UnreadableError as error:
                if poison is None:
                    self._find("I9", f"{source} is no command, and nobody said so: {error}")
                continue
            if poison is None or poison.reason == HANDLER_ERROR:
                self.commands[source] = command

    def _without_repeats(self, records: list[Record]) -> Iterator[Event]:
        kept: dict[int, Record] = {}
        for record in records:
            try:
                event = read_event(record)
            except UnreadableError as error:
                self._find("I5", f"events {record.partition}/{record.offset} carries no event: {error}")
                continue
            before = kept.get(event.sequence)
            if before is not None:
                if _content(before) != _content(record):
                    where = f"at {before.offset} and {record.offset}"
                    self._find("I5", f"{event} is on the topic twice, {where}, and not the same")
                continue
            if event.sequence != len(kept) + 1:
                self._find("I5", f"{event} comes after {len(kept)} events: a gap")
                # A gap is reported once.
                kept.update((number, record) for number in range(len(kept) + 1, event.sequence))
            kept[event.sequence] = record
            yield event

    def _decisions(self, partition: int, events: Iterator[Event]) -> None:
        self.decisions[partition] = []
        last = -1
        for source, group in groupby(events, key=lambda event: (event.source, event.command_id)):
            origin, caused = source[0], list(group)
            if origin.partition != partition:
                self._find("I5", f"{caused[0]} comes from {origin}, another partition")
            if origin.offset <= last:
                self._find("I5", f"{caused[0]} comes from {origin}, after an event from offset {last}")
            last = max(last, origin.offset)
            decision = Decision(origin, len(self.decisions[partition]), self.commands.get(origin), caused)
            self.decisions[partition].append(decision)
            self._context(decision)
            before = self.decided.setdefault(decision.command_id, decision)
            if before is not decision:
                self._find("I1", f"{decision} is decided twice: by {before.events[0]} and {caused[0]}")

    def _context(self, decision: Decision) -> None:
        source, command = decision.position, decision.command
        record = self.records.get(source)
        if record is None:
            self._find("I1", f"{decision.events[0]} comes from {source}, where nobody sent anything")
            return
        if command is None or source in self.poison:
            self._only_failed(decision)
        if command is None:
            if command_id_in(record.headers) != decision.command_id:
                first = decision.events[0]
                self._find("I9", f"{first} answers {source} in the name of {decision.command_id}")
            return
        for event in decision.events:
            for name, said, true in _said_and_true(event, command):
                if said != true:
                    self._find("I5", f"{event} of {decision} has {name} {said}, the command {true}")

    def _only_failed(self, decision: Decision) -> None:
        poison = self.poison.get(decision.position)
        reason = poison.reason if poison else None
        for number, event in enumerate(decision.events):
            if number or (event.type, event.data.get("reason")) != ("CommandFailed", reason):
                self._find("I9", f"{event} answers {decision.position}, which can only fail ({reason})")

    def _ids(self) -> None:
        seen: dict[str, Event] = {}
        for decision in self.all():
            for event in decision.events:
                before = seen.setdefault(event.id, event)
                if before is not event:
                    self._find("I5", f"{event} has the id of {before}")

    def _all_decided(self) -> None:
        first: dict[tuple[int, str], Position] = {}
        for source, command in sorted(self.commands.items()):
            decision = self.decided.get(command.id)
            if decision is None:
                self._find("I1", f"{source} ({command.type} {command.id}) was never decided")
            begun = first.setdefault((source.partition, command.id), source)
            if decision is not None and decision.position == source != begun:
                self._find("I1", f"{decision} is decided, and not what came first, {begun}")
        for source, poison in self.poison.items():
            id_ = command_id_in(self.records[source].headers) if source in self.records else None
            if id_ is not None and poison.reason != NAMELESS and id_ not in self.decided:
                self._find("I1", f"{source} ({poison.reason}) has an id, {id_}, and no answer")


def _content(record: Record) -> tuple[object, ...]:
    return record.key, record.value, tuple(record.headers)


def _said_and_true(event: Event, command: Command) -> Iterator[tuple[str, object, object]]:
    data = event.data
    actor = data.get("actor") or {}
    yield "command_id", event.command_id, command.id
    yield "command_type", data.get("command_type"), command.type
    yield "fingerprint", data.get("fingerprint"), command.fingerprint
    yield "actor", (actor.get("kind"), actor.get("id")), command.actor
    yield "decided_at", instant(data["decided_at"]), command.at
    yield "key", event.key, command.doctor.encode()
