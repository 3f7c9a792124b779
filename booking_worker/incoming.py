"""A record of the commands' topic, read: a command, or why it is none."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import ConsumerRecord

from contracts.commands import Command, RegisterDoctor, UpdateDoctor
from contracts.dead_letters import UndecodableError
from contracts.envelope import decode_command

# What changes a doctor's visit types or policy: commands behind it need it written to know what to load.
CHANGES_THE_RULES = (RegisterDoctor, UpdateDoctor)


@dataclass(frozen=True, slots=True, eq=False)
class Incoming:
    """`at` is the broker's time: the `now` of the decision. `command` is None where `error` says why."""

    partition: int
    offset: int
    at: datetime
    command: Command | None
    error: UndecodableError | None
    record: ConsumerRecord

    @property
    def command_id(self) -> UUID | None:
        """The command's id, where it could be read."""
        if self.command is not None:
            return self.command.command_id
        return self.error.command_id if self.error else None

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that came with the record."""
        for name, value in self.record.headers:
            if name == "traceparent" and value:
                text: str = value.decode("ascii", "ignore").replace("\x00", "")
                return text
        return None


def read(record: ConsumerRecord) -> Incoming:
    """Decode one record. Never raises: what cannot be decoded says so."""
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    try:
        command = decode_command(record.key, record.value, record.headers)
    except UndecodableError as error:
        return Incoming(record.partition, record.offset, at, None, error, record)
    return Incoming(record.partition, record.offset, at, command, None, record)


def in_transactions(batch: list[Incoming], size_max: int) -> list[list[Incoming]]:
    """The batch cut into what one transaction takes, in order."""
    parts: list[list[Incoming]] = [[]]
    for incoming in batch:
        if len(parts[-1]) >= size_max or (parts[-1] and isinstance(parts[-1][-1].command, CHANGES_THE_RULES)):
            parts.append([])
        parts[-1].append(incoming)
    return parts
