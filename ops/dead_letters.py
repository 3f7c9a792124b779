"""`clinic dlq`: what could not be decided, looked at and, after a fix, sent again.

The command of a dead letter has its terminal decision, *failed*, and keeps it. So what is sent again is
another command, whose id follows from the first one's: sent twice, it is decided once. What had no id that
could be read has no decision, and is sent with its own.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from booking_worker.event_log import read_on
from contracts.command_resource import State
from contracts.commands import BlockTime, BookAppointment, Command, RegisterDoctor, made_id
from contracts.dead_letters import DeadLetterReason, UndecodableError, dead_letter_headers, origin_of
from contracts.envelope import command_headers, command_key, decode_command
from contracts.topics import COMMANDS, DEAD_LETTERS
from infra import clock
from infra.errors import MisconfiguredError
from infra.kafka import bounds, start_producer, topic_name
from infra.settings import Settings
from ops.replay.connection import database, log_reader, servers_answer

_NO_ERROR = UndecodableError(DeadLetterReason.NO_ENVELOPE, "")
ADDED_HEADERS = len(dead_letter_headers(_NO_ERROR, "", UUID(int=0), 0, 0))
NOT_SENT_AGAIN = "no"


@dataclass(frozen=True)
class Letter:
    """A dead letter, and where it came from. `again` is what became of sending it again."""

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
    """What was done with a letter. `sent_as` is the id of the command that it was sent as."""

    partition: int
    offset: int
    fine: bool
    what: str
    sent_as: UUID | None = None


def original_headers(record: ConsumerRecord) -> list[tuple[str, bytes]]:
    """The headers that the record came with, without those that were added when it was set aside."""
    headers = list(record.headers)
    return headers[:-ADDED_HEADERS] if origin_of(headers) else headers


def decoded(record: ConsumerRecord) -> Command | UndecodableError:
    """What today's code reads in a letter."""
    try:
        return decode_command(record.key, record.value, original_headers(record))
    except UndecodableError as error:
        return error


def as_another(command: Command) -> Command:
    """The same once more, under an id that follows from its own, as do the ids of what it makes.

    Actor and fingerprint are the same: it is what they asked for.
    """
    id_ = uuid5(command.command_id, "redrive")
    changes: dict[str, Any] = {"command_id": id_}
    match command:
        case BookAppointment():
            changes["appointment_id"] = made_id(id_, "appointment")
        case BlockTime():
            changes["time_off_id"] = made_id(id_, "time-off")
        case RegisterDoctor() if command.doctor_id == made_id(command.command_id, "doctor"):
            changes["doctor_id"] = made_id(id_, "doctor")
    return command.model_copy(update=changes)


class DeadLetterBox:
    """The dead letters, the decisions of their commands, and the commands' topic to send them to."""

    def __init__(
        self, settings: Settings, pool: asyncpg.Pool, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer
    ) -> None:
        self._topic = topic_name(settings, DEAD_LETTERS)
        self._commands = topic_name(settings, COMMANDS)
        self._pool = pool
        self._consumer = consumer
        self._producer = producer

    async def records(self) -> AsyncIterator[ConsumerRecord]:
        """All that there are now, partition after partition."""
        for number in range(DEAD_LETTERS.partitions):
            place = TopicPartition(self._topic, number)
            async for records in read_on(self._consumer, place, *await bounds(self._consumer, place)):
                for record in records:
                    yield record

    async def record(self, partition: int, offset: int) -> ConsumerRecord:
        """One of them.

        Raises:
            MisconfiguredError: there is none.
        """
        if 0 <= partition < DEAD_LETTERS.partitions:
            place = TopicPartition(self._topic, partition)
            begin, end = await bounds(self._consumer, place)
            if begin <= offset < end:
                async for records in read_on(self._consumer, place, offset, offset + 1):
                    return records[0]
        raise MisconfiguredError(f"There is no dead letter at partition {partition}, offset {offset}.")

    async def letter(self, record: ConsumerRecord) -> Letter:
        """What there is to say of a record."""
        origin, read = origin_of(record.headers), decoded(record)
        again = NOT_SENT_AGAIN
        if read.command_id is not None:
            state = await self._state(uuid5(read.command_id, "redrive"))
            own = await self._state(read.command_id)
            again = state or (own if own not in (None, State.FAILED) else None) or NOT_SENT_AGAIN
        type_ = dict(original_headers(record)).get("ce_type") or b""
        return Letter(
            *(record.partition, record.offset),
            reason=origin.reason if origin else "",
            detail=origin.detail if origin else "no worker has set this aside",
            source_topic=origin.topic if origin else "",
            source_partition=origin.partition if origin else None,
            source_offset=origin.offset if origin else None,
            type=type_.decode("utf-8", "replace"),
            command_id=read.command_id,
            set_aside_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            again=again,
        )

    async def redrive(self, record: ConsumerRecord) -> Redriven:
        """Send its command again, if today's code can read it and it was not decided meanwhile."""
        place, read = (record.partition, record.offset), decoded(record)
        if origin_of(record.headers) is None:
            return Redriven(*place, fine=False, what="no worker has set this aside")
        if isinstance(read, UndecodableError):
            return Redriven(*place, fine=False, what=f"still cannot be read: {read}")
        own = await self._state(read.command_id)
        if own not in (None, State.FAILED):
            return Redriven(*place, fine=True, what=f"another record of its command was {own}")
        command = read if own is None else as_another(read)
        if known := await self._state(command.command_id):
            return Redriven(*place, fine=True, what=f"sent before: {known}", sent_as=command.command_id)
        sent = await self._producer.send_and_wait(
            self._commands,
            command.model_dump_json().encode(),
            key=command_key(command),
            headers=command_headers(command, clock.now()),
        )
        what = f"sent to partition {sent.partition}, offset {sent.offset}"
        return Redriven(*place, fine=True, what=what, sent_as=command.command_id)

    async def _state(self, command_id: UUID) -> State | None:
        state = await self._pool.fetchval(
            "SELECT state FROM booking.decisions WHERE command_id = $1", command_id
        )
        return State(state) if state else None


@contextlib.asynccontextmanager
async def open_box(settings: Settings) -> AsyncIterator[DeadLetterBox]:
    """The box, on the servers in the settings.

    Raises:
        ClinicError: a server is away, or there is no schema or topic yet.
    """
    async with (
        database(settings.worker_dsn, connections_max=1) as pool,
        log_reader(settings, DEAD_LETTERS, committed=True) as consumer,
        servers_answer(),
        contextlib.AsyncExitStack() as exits,
    ):
        producer = await start_producer(settings, "clinic-dlq")
        exits.push_async_callback(producer.stop)
        yield DeadLetterBox(settings, pool, consumer, producer)
