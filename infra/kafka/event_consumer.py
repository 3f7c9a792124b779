"""Exactly-once processing of the messages of a topic, for the auditor and the notifier.

A consumer's position is a row beside what it writes, moved in the same transaction. The row's lock is the
fence: of two that believe they own a partition, the second finds the position moved and reads on from there.
What a producer sent twice after a crash is dropped by its sequence; a gap stops the partition.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

import asyncpg
import structlog
from aiokafka import ConsumerRecord

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.topics import Topic
from infra.errors import GapError, MisplacedError, PausedError, StopError
from infra.kafka.connection import topic_name
from infra.kafka.consumer import Consumer
from infra.kafka.partition import is_next
from infra.kafka.progress import Progress, ReadPosition
from infra.kafka.skipping import SkippedRecord, left_out, skipped
from infra.kafka.topic_id import topic_ids
from infra.kafka.tracing import TracedRecord, record_spans, traceparent_of
from infra.postgres import Connection
from infra.service import Service
from infra.settings import Settings
from infra.telemetry import SpanKind, request_of

NO_ENVELOPE_OF_OURS = (DeadLetterReason.NO_ENVELOPE, DeadLetterReason.BAD_HEADER)

_log = structlog.get_logger(__name__)
M = TypeVar("M")


class ReceivedMessage(NamedTuple, Generic[M]):
    """A message, its number in the partition (from 1, without a gap), and the record it came in."""

    sequence: int
    message: M
    record: ConsumerRecord


Apply = Callable[[Connection, int, list[ReceivedMessage[M]]], Awaitable[None]]


class Authentic(Protocol):
    """Picks the records that their producer wrote; `storage.authentic_events` is one."""

    async def among(
        self, database: Connection, partition: int, records: list[ConsumerRecord], *, known: int
    ) -> list[ConsumerRecord]: ...


class EventConsumer(Generic[M]):
    """Hands each message of a topic to `apply` once, in the order of its partition.

    `apply(connection, partition, received)` runs inside the transaction that moves the position; partitions
    are processed concurrently. `decode` raises `UndecodableError`. `sequence_of` is the number that the
    producer gave to a record, None where it gave none; without `sequence_of`, kept records are counted, and
    one that carries our envelope and cannot be read stops its partition, unless its topic is `expiring`.
    `authentic` leaves out what the producer did not write.
    `expiring`: records that its topic no longer has are obsolete, and are skipped.
    `keeps_skipped`: messages to leave out are handed over as `SkippedRecord`, which `M` includes.
    `traced`: a message's record for its span; None without one. `schema` is that of `progress.Progress`.
    `batch_ms`: the broker collects records for this long, so that transactions are fewer and larger.
    """

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        pool: asyncpg.Pool,
        *,
        group: str,
        schema: str,
        decode: Callable[[ConsumerRecord], M],
        apply: Apply[M],
        service: Service,
        sequence_of: Callable[[ConsumerRecord], int | None] | None = None,
        authentic: Authentic | None = None,
        expiring: bool = False,
        keeps_skipped: bool = False,
        traced: Callable[[ReceivedMessage[M]], TracedRecord | None] = lambda _: None,
        batch_ms: int = 0,
    ) -> None:
        self._settings = settings
        self._topic = topic_name(settings, topic)
        self._pool = pool
        self._schema = schema
        self._decode = decode
        self._apply = apply
        self._sequence_of = sequence_of
        self._authentic = authentic
        self._expiring = expiring
        self._keeps_skipped = keeps_skipped
        self._traced = traced
        # By partition: the event behind which a gap was looked for already.
        self._looked_back: dict[int, int] = {}
        own = partial(_EventPartition, self)
        self._consumer = Consumer(settings, topic, group=group, own=own, service=service, batch_ms=batch_ms)

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            MisconfiguredError: the topic does not exist.
            TransientError, KafkaError: no broker answers at the start.
        """
        self._topic_id = (await topic_ids(self._settings, [self._topic]))[self._topic]
        self._progress = Progress(
            self._schema,
            self._topic,
            self._topic_id,
            expiring=self._expiring,
            sequenced=self._sequence_of is not None,
        )
        await self._consumer.run()

    async def open(self, partition: int, log_start: int, log_end: int) -> int:
        """The offset to read on from. Raises what `Progress.open` does."""
        return await self._progress.open(self._pool, partition, log_start, log_end)

    async def read_position(self, partition: int) -> ReadPosition | None:
        """The position as it is in the database. Raises OUTAGES: Postgres is unavailable."""
        return await self._progress.read(self._pool, partition)

    async def check(self, partition: int, next_offset: int) -> None:
        """Compare the position with the database, which may have become an older one.

        Raises:
            MisplacedError: it has another one.
            PausedError: an operator paused it.
            OUTAGES: Postgres is unavailable.
        """
        known = await self.read_position(partition)
        if known is not None and known.paused_at is not None:
            raise PausedError(known.paused_at)
        if known is None or known.next_offset != next_offset:
            raise MisplacedError(known.next_offset if known else 0)

    async def process(self, partition: int, records: list[ConsumerRecord]) -> int:
        """Apply the records in one transaction. Returns the offset behind them.

        Raises:
            StopError: one of them cannot be applied; those before it are.
            MisplacedError: the first is not the next one.
            PausedError: an operator paused it; nothing is applied.
        """
        received: list[ReceivedMessage[M]] = []
        spans = record_spans(SpanKind.CONSUMER, self._topic, lambda: map(self._traced, received))
        async with spans, self._pool.acquire() as database, database.transaction():
            position, last, _, skips = await self._progress.lock(database, partition)
            if not is_next(records, position):
                raise MisplacedError(position)
            next_offset, stop = int(records[-1].offset) + 1, None
            written = records
            if self._authentic is not None:
                written = await self._authentic.among(database, partition, records, known=last)
            for record in written:
                try:
                    for message in self._messages(record, last, skip=record.offset in skips):
                        received.append(message)
                        last = message.sequence
                except StopError as error:
                    next_offset, stop = record.offset, error
                    break
            if not self._keeps_skipped:
                received = [taken for taken in received if not isinstance(taken.message, SkippedRecord)]
            if received:
                await self._apply(database, partition, received)
            await self._progress.move(database, partition, next_offset, last)
        if isinstance(stop, GapError) and self._looked_back.get(partition) != last:
            # The topic may have lost its end, and have the events at other offsets now.
            self._looked_back[partition] = last
            await self._progress.look_back(self._pool, partition, last)
            raise MisplacedError(min(next_offset, last))
        if stop is not None:
            raise stop
        return next_offset

    def _messages(self, record: ConsumerRecord, last: int, *, skip: bool) -> Iterator[ReceivedMessage[M]]:
        """The messages of a record, and those that are left out before it if it is to be skipped."""
        sequence = self._sequence_of(record) if self._sequence_of else last + 1
        if skip:
            numbers, whole = left_out(record, sequence, last)
            gone = skipped(record, self._topic_id, whole=whole)
            for last in numbers:
                yield ReceivedMessage(last, cast(M, gone), record)
            if whole:
                return
        message = self._read(record, sequence, last)
        if message is not None:
            yield message

    def _read(self, record: ConsumerRecord, sequence: int | None, last: int) -> ReceivedMessage[M] | None:
        """The next message; None for a record to ignore."""
        if sequence is not None and sequence <= last:
            return None  # its producer crashed before it had counted it, and sent it again
        try:
            if sequence is None:
                raise UndecodableError(DeadLetterReason.BAD_HEADER, "it has no sequence")
            message = self._decode(record)
        except UndecodableError as error:
            kept = error.reason not in NO_ENVELOPE_OF_OURS and not self._expiring
            ours = sequence == last + 1 if self._sequence_of else kept
            if ours:
                # Perhaps of a newer version: ignoring it would lose it.
                unread = f"event {sequence} at offset {record.offset} cannot be read: {error}"
                raise StopError(unread) from None
            # Not an event of ours. It stays on its topic, which keeps everything.
            at = {"topic": self._topic, "partition": record.partition, "offset": record.offset}
            _log.error("not a message, ignored", **at, **request_of(traceparent_of(record)), error=f"{error}")
            return None
        if sequence != last + 1:
            raise GapError(
                f"event {last + 1} is missing: {sequence} follows {last} at offset {record.offset}"
            )
        return ReceivedMessage(sequence, message, record)


class _EventPartition:
    waiting = False

    def __init__(self, consumer: EventConsumer[M], number: int) -> None:
        self.next_offset = 0
        self._consumer = consumer
        self._number = number

    async def open(self, log_start: int, log_end: int) -> None:
        self.next_offset = await self._consumer.open(self._number, log_start, log_end)

    async def process(self, records: list[ConsumerRecord]) -> None:
        self.next_offset = await self._consumer.process(self._number, records)

    async def check(self) -> None:
        await self._consumer.check(self._number, self.next_offset)

    async def paused_at(self) -> datetime | None:
        position = await self._consumer.read_position(self._number)
        return position.paused_at if position else None

    async def is_to_skip(self, offset: int) -> bool:
        position = await self._consumer.read_position(self._number)
        return position is not None and offset in position.skips

    async def close(self) -> None:
        pass
