"""The contents of the topics, including records that a fault has deleted."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.faults.checker import Followers, Record


@dataclass(frozen=True)
class Topics:
    """The topics' records, partition by partition, and the output of the services that follow the events."""

    commands: list[Record]
    events: list[Record]
    dead_letters: list[Record]
    followers: Followers | None = None


@dataclass
class Archive:
    """Commands that a fault has deleted from the topic: they were decided, and the checker needs them."""

    commands: list[Record] = field(default_factory=list)

    def keep(self, topics: Topics) -> None:
        """Remember the commands on the topic."""
        self.commands = _merged(self.commands, topics.commands)

    def whole(self, topics: Topics) -> Topics:
        """The topics together with the deleted commands."""
        return replace(topics, commands=_merged(self.commands, topics.commands))


def _merged(kept: Iterable[Record], found: Iterable[Record]) -> list[Record]:
    by_position = {(record.partition, record.offset): record for record in (*kept, *found)}
    return [by_position[position] for position in sorted(by_position)]
