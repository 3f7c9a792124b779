"""Dead letters: reads them from their topic and, after a fix, redrives them.

The command of a dead letter has the final decision *failed*. So it is redriven as another command, whose id
is derived from the original id, so that it is decided once even if it is redriven twice. A record whose id
could not be read has no decision, and is redriven with its own id.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from contracts.cloudevents import command_headers, command_key, decode_command
from contracts.commands import BlockTime, BookAppointment, Command, RegisterDoctor, derived_id
from contracts.dead_letters import DeadLetterReason, UndecodableError, dead_letter_headers, origin_of
from contracts.decision import State
from contracts.envelope import Message
from contracts.fields import or_newer
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC
from infra import clock
from infra.errors import MisconfiguredError
from infra.kafka.connection import topic_name
from infra.kafka.partitioner import partition_of
from infra.kafka.producer import start_producer
from infra.kafka.reader import bounds, read_on
from infra.settings import Settings
from ops.connections import database, log_reader, readable_failures

_NO_ERROR = UndecodableError(DeadLetterReason.NO_ENVELOPE, "")
ADDED_HEADERS = len(dead_letter_headers(_NO_ERROR, "", UUID(int=0), 0, 0))
NOT_SENT_AGAIN = "no"


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter and its source. `again` is the state of the command that it was redriven as."""

    partition: int
    offset: int
    reason: str
    detail: str
    source_topic: str
    source_partition: int | None
    source_offset: int | None
    type: str
    command_id: UUID | None
    set_aside_at: datetime
    again: str


@dataclass(frozen=True)
class Redriven:
    """The result of redriving a dead letter. `sent_as` is the id of the new command."""

    partition: int
    offset: int
    fine: bool
    outcome: str
    sent_as: UUID | None = None


def original_headers(record: ConsumerRecord) -> list[tuple[str, bytes]]:
    """The original headers, without those that were added to the dead letter."""
    headers = list(record.headers)
    return headers[:-ADDED_HEADERS] if origin_of(headers) else headers


def decoded(record: ConsumerRecord) -> Command | UndecodableError:
    """The command in a dead letter as the current code reads it, or the error."""
    try:
        return decode_command(Message(record.key, record.value, original_headers(record)))
    except UndecodableError as error:
        return error


def as_another(command: Command) -> Command:
    """The same request under an id derived from its own, as are the ids of the rows it creates.

    Actor and fingerprint are kept.
    """
    id_ = uuid5(command.command_id, "redrive")
    changes: dict[str, Any] = {"command_id": id_}
    match command:
        case BookAppointment():
            changes["appointment_id"] = derived_id(id_, "appointment")
        case BlockTime():
            changes["time_off_id"] = derived_id(id_, "time-off")
        case RegisterDoctor() if command.doctor_id == derived_id(command.command_id, "doctor"):
            changes["doctor_id"] = derived_id(id_, "doctor")
    return command.model_copy(update=changes)


class DeadLetterBox:
    """Access to the dead letters, to the decisions of their commands, and to the commands' topic."""

    def __init__(
        self, settings: Settings, pool: asyncpg.Pool, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer
    ) -> None:
        self._topic = topic_name(settings, DEAD_LETTERS_TOPIC)
        self._commands = topic_name(settings, COMMANDS_TOPIC)
        self._pool = pool
        self._consumer = consumer
        self._producer = producer

    async def records(self) -> AsyncIterator[ConsumerRecord]:
        """All dead letters, partition by partition."""
        for number in range(DEAD_LETTERS_TOPIC.partitions):
            partition = TopicPartition(self._topic, number)
            async for records in read_on(self._consumer, partition, *await bounds(self._consumer, partition)):
                for record in records:
                    yield record

    async def record(self, partition: int, offset: int) -> ConsumerRecord:
        """The record at an offset.

        Raises:
            MisconfiguredError: there is none.
        """
        if 0 <= partition < DEAD_LETTERS_TOPIC.partitions:
            source = TopicPartition(self._topic, partition)
            begin, end = await bounds(self._consumer, source)
            if begin <= offset < end:
                async for records in read_on(self._consumer, source, offset, offset + 1):
                    return records[0]
        raise MisconfiguredError(f"There is no dead letter at partition {partition}, offset {offset}.")

    async def letter(self, record: ConsumerRecord) -> DeadLetter:
        """The dead letter that a record of the topic holds."""
        origin, read = origin_of(record.headers), decoded(record)
        again = NOT_SENT_AGAIN
        if read.command_id is not None:
            state = await self._state(uuid5(read.command_id, "redrive"))
            own = await self._state(read.command_id)
            again = state or (own if own not in (None, State.FAILED) else None) or NOT_SENT_AGAIN
        type_ = dict(original_headers(record)).get("ce_type") or b""
        return DeadLetter(
            partition=record.partition,
            offset=record.offset,
            reason=origin.reason if origin else "",
            detail=origin.detail if origin else "not written by a worker",
            source_topic=origin.topic if origin else "",
            source_partition=origin.partition if origin else None,
            source_offset=origin.offset if origin else None,
            type=type_.decode("utf-8", "replace"),
            command_id=read.command_id,
            set_aside_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            again=again,
        )

    async def redrive(self, record: ConsumerRecord) -> Redriven:
        """Send the command again if the current code can read it and it has not been decided since."""
        read, outcome = decoded(record), partial(Redriven, record.partition, record.offset)
        if origin_of(record.headers) is None:
            return outcome(fine=False, outcome="not written by a worker")
        if isinstance(read, UndecodableError):
            return outcome(fine=False, outcome=f"still cannot be read: {read}")
        own = await self._state(read.command_id)
        if own not in (None, State.FAILED):
            return outcome(fine=True, outcome=f"another record of its command was {own}")
        command = read if own is None else as_another(read)
        if known := await self._state(command.command_id):
            return outcome(fine=True, outcome=f"sent before: {known}", sent_as=command.command_id)
        sent = await self._producer.send_and_wait(
            self._commands,
            command.model_dump_json().encode(),
            key=command_key(command),
            headers=command_headers(command, clock.now()),
            partition=partition_of(command_key(command)),
        )
        position = f"sent to partition {sent.partition}, offset {sent.offset}"
        return outcome(fine=True, outcome=position, sent_as=command.command_id)

    async def _state(self, command_id: UUID) -> State | str | None:
        state = await self._pool.fetchval(
            "SELECT state FROM booking.decisions WHERE command_id = $1", command_id
        )
        return or_newer(State, state) if state else None


@contextlib.asynccontextmanager
async def open_box(settings: Settings) -> AsyncIterator[DeadLetterBox]:
    """Open the dead letters on the servers in the settings.

    Raises:
        ClinicError: a server is unavailable, or there is no schema or topic yet.
    """
    async with (
        database(settings.worker_dsn, "clinic-dlq", connections_max=1) as pool,
        log_reader(settings, DEAD_LETTERS_TOPIC, committed=True) as consumer,
        readable_failures(),
        contextlib.AsyncExitStack() as exits,
    ):
        producer = await start_producer(settings, "clinic-dlq")
        exits.push_async_callback(producer.stop)
        yield DeadLetterBox(settings, pool, consumer, producer)
