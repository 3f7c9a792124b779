"""A record of the commands' topic, decoded."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import ConsumerRecord

from contracts.cloudevents import command_key, decode_command
from contracts.commands import Command, RegisterDoctor, UpdateDoctor
from contracts.dead_letters import DeadLetterReason, UndecodableError
from infra.kafka.partitioner import partition_of
from infra.kafka.tracing import traceparent_of

# These change a doctor's visit types or policy, on which the data that later commands load depends: so they
# have to be written first.
CHANGES_THE_RULES = (RegisterDoctor, UpdateDoctor)


@dataclass(frozen=True, slots=True, eq=False)
class CommandRecord:
    """A record with its command, or the error of decoding it.

    `at` is the broker's time, the `now` of the decision.
    """

    partition: int
    offset: int
    at: datetime
    command: Command | None
    error: UndecodableError | None
    record: ConsumerRecord

    @property
    def command_id(self) -> UUID | None:
        """The command's id, if it could be read."""
        if self.command is not None:
            return self.command.command_id
        return self.error.command_id if self.error else None

    @property
    def key(self) -> str:
        """The record's key as its events have it; a command's is its doctor's id."""
        return (self.record.key or b"").decode("utf-8", "replace").replace("\x00", "\ufffd")

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context that came with the record."""
        return traceparent_of(self.record)


def read_record(record: ConsumerRecord) -> CommandRecord:
    """Decode one record. Never raises: the result has a command or an error."""
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    try:
        command = decode_command(record)
        if record.partition != (own := partition_of(command_key(command))):
            # The doctor's commands are decided in another partition: two workers would decide concurrently.
            detail = f"commands with this key belong in partition {own}"
            raise UndecodableError(DeadLetterReason.WRONG_PARTITION, detail, command.command_id)
    except UndecodableError as error:
        return CommandRecord(record.partition, record.offset, at, None, error, record)
    return CommandRecord(record.partition, record.offset, at, command, None, record)


def split_into_transactions(records: Iterable[CommandRecord], commands_max: int) -> list[list[CommandRecord]]:
    """The records in groups that can be decided in one transaction each, in order."""
    transactions: list[list[CommandRecord]] = [[]]
    for record in records:
        last = transactions[-1]
        if len(last) >= commands_max or (last and isinstance(last[-1].command, CHANGES_THE_RULES)):
            transactions.append([])
        transactions[-1].append(record)
    return transactions
