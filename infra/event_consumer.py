"""What follows a topic exactly once: the auditor, the notifier.

A consumer's position is a row beside what it writes, moved in the same transaction. The row's lock is the
fence: of two that believe to own a partition, the second finds the position moved and reads on from there.
What a producer sent twice after a crash is dropped by its sequence; a gap stops the partition.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.topics import Topic
from infra.kafka import connect, connection, topic_ids, topic_name
from infra.metrics import PARTITION_STOPPED
from infra.postgres import CONFLICTS, OUTAGES, Connection, is_outage
from infra.progress import Progress, StopError
from infra.settings import Settings

POLL_TIMEOUT_MS = 200
# Some 500 events of a partition, whatever the others have.
PARTITION_FETCH_BYTES_MAX = 256 * 1024
POLL_INTERVAL_MS_MAX = 24 * 60 * 60 * 1000
NO_ENVELOPE_OF_OURS = (DeadLetterReason.NO_ENVELOPE, DeadLetterReason.BAD_HEADER)
TRIES_MAX = 3
RETRY_INTERVAL_S = 0.5

_log = structlog.get_logger(__name__)
M = TypeVar("M")


class Received(NamedTuple, Generic[M]):
    """A message, its number in the partition (from 1, without a gap), and the record it came in."""

    sequence: int
    message: M
    record: ConsumerRecord


Apply = Callable[[Connection, int, list[Received[M]]], Awaitable[None]]


class _MovedError(Exception):
    """The position is not where these records begin."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


class EventConsumer(ConsumerRebalanceListener, Generic[M]):
    """Hands each message of a topic to `apply` once, in the order of its partition.

    `apply(connection, partition, received)` runs inside the transaction that moves the position; partitions
    are worked on side by side. `decode` raises `UndecodableError`. `sequence_of` is the number that the
    producer gave to a record, None where it gave none; without `sequence_of`, kept records are counted, and
    one that carries our envelope and cannot be read stops its partition, unless its topic is `expiring`.
    `expiring`: what its topic no longer keeps is of no use to anybody, and is passed over.

    `schema` is that of `infra.progress.Progress`.
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
        sequence_of: Callable[[ConsumerRecord], int | None] | None = None,
        expiring: bool = False,
    ) -> None:
        self._settings = settings
        self._topic = topic_name(settings, topic)
        self._group = f"{settings.namespace}{group}"
        self._pool = pool
        self._schema = schema
        self._decode = decode
        self._apply = apply
        self._sequence_of = sequence_of
        self._expiring = expiring
        self._unplaced: set[TopicPartition] = set()
        self._consumer: Any = None

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            MisconfiguredError: the topic does not exist.
            TransientError: no broker answers at the start.
        """
        topic_id = (await topic_ids(self._settings, [self._topic]))[self._topic]
        self._progress = Progress(self._schema, self._topic, topic_id, expiring=self._expiring)
        self._consumer = AIOKafkaConsumer(
            **connection(self._settings),
            client_id=self._settings.instance or self._group,
            group_id=self._group,
            group_instance_id=self._settings.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self._settings.session_timeout_ms,
            heartbeat_interval_ms=self._settings.session_timeout_ms // 5,
            max_poll_interval_ms=POLL_INTERVAL_MS_MAX,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
        )
        self._consumer.subscribe([self._topic], listener=self)
        try:
            await connect(self._consumer.start())
            while True:
                await self._place()
                polled = await self._consumer.getmany(timeout_ms=POLL_TIMEOUT_MS)
                await asyncio.gather(*(self._take(*part) for part in polled.items()))
        finally:
            await self._consumer.stop()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing to wait for: a transaction that is late finds the position moved."""
        self._unplaced -= revoked

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Read nothing of the partitions before their positions are known. Must not block: no heartbeats."""
        self._consumer.pause(*assigned)
        self._unplaced |= assigned
        for partition in assigned:
            PARTITION_STOPPED.labels(self._topic, str(partition.partition)).set(0)

    async def _place(self) -> None:
        if not self._unplaced:
            return
        partitions = sorted(self._unplaced)
        try:
            # All at once, and before any is read: answers would wait behind fetches on the same connection.
            starts = await self._consumer.beginning_offsets(partitions)
            ends = await self._consumer.end_offsets(partitions)
            for partition in partitions:
                await self._place_one(partition, starts[partition], ends[partition])
        except (KafkaError, *OUTAGES) as error:
            _log.warning("positions unknown yet", topic=self._topic, error=repr(error))
            await asyncio.sleep(RETRY_INTERVAL_S)

    async def _place_one(self, partition: TopicPartition, start: int, end: int) -> None:
        try:
            next_offset = await self._progress.open(self._pool, partition.partition, start, end)
            self._consumer.seek(partition, next_offset)
            self._consumer.resume(partition)
        except StopError as error:
            self._stop(partition, error)
        except IllegalStateError:
            _log.info("taken away meanwhile", partition=partition.partition)
        self._unplaced.discard(partition)

    async def _take(self, partition: TopicPartition, records: list[ConsumerRecord]) -> None:
        tries = 0
        while True:
            try:
                await self._transaction(partition, records)
            except _MovedError as moved:
                self._seek(partition, moved.next_offset)
            except StopError as error:
                self._stop(partition, error)
            except CONFLICTS:
                continue
            except Exception as error:
                if not is_outage(error):
                    tries += 1
                    if tries == TRIES_MAX:
                        _log.error("events cannot be taken", partition=partition.partition, exc_info=error)
                        self._stop(partition, StopError(f"{type(error).__name__}, {TRIES_MAX} times"))
                        return
                _log.warning("trying again", partition=partition.partition, error=repr(error))
                await asyncio.sleep(RETRY_INTERVAL_S)
                continue
            return

    async def _transaction(self, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        async with self._pool.acquire() as database, database.transaction():
            position, last = await self._progress.lock(database, partition.partition)
            if position != records[0].offset:
                raise _MovedError(position)
            next_offset, stop = records[-1].offset + 1, None
            received: list[Received[M]] = []
            for record in records:
                try:
                    message = self._read(record, last)
                except StopError as error:
                    next_offset, stop = record.offset, error
                    break
                if message is not None:
                    received.append(message)
                    last = message.sequence
            if received:
                await self._apply(database, partition.partition, received)
            await self._progress.move(database, partition.partition, next_offset, last)
        if stop is not None:
            raise stop

    def _read(self, record: ConsumerRecord, last: int) -> Received[M] | None:
        """The next message; None for a record that is to be passed over."""
        sequence = self._sequence_of(record) if self._sequence_of else last + 1
        if sequence is not None and sequence <= last:
            return None  # its producer crashed before it had counted it, and sent it again
        try:
            if sequence is None:
                raise UndecodableError(DeadLetterReason.BAD_HEADER, "it has no sequence")
            message = self._decode(record)
        except UndecodableError as error:
            if self._sequence_of:
                ours = sequence == last + 1
            else:
                ours = error.reason not in NO_ENVELOPE_OF_OURS and not self._expiring
            if ours:
                # Perhaps of a newer version: passing over it would lose it.
                raise StopError(
                    f"event {sequence} at offset {record.offset} cannot be read: {error}"
                ) from None
            # Nobody's event. It stays on its topic, which keeps everything.
            where = {"partition": record.partition, "offset": record.offset}
            _log.error("not a message, passed over", topic=self._topic, **where, error=str(error))
            return None
        if sequence != last + 1:
            raise StopError(
                f"event {last + 1} is missing: {sequence} follows {last} at offset {record.offset}"
            )
        return Received(sequence, message, record)

    def _seek(self, partition: TopicPartition, next_offset: int) -> None:
        _log.info("seeking", partition=partition.partition, next_offset=next_offset)
        with contextlib.suppress(IllegalStateError):  # it was taken away meanwhile
            self._consumer.seek(partition, next_offset)

    def _stop(self, partition: TopicPartition, why: StopError) -> None:
        _log.critical("partition stopped", topic=self._topic, partition=partition.partition, error=str(why))
        PARTITION_STOPPED.labels(self._topic, str(partition.partition)).set(1)
        with contextlib.suppress(IllegalStateError):
            self._consumer.pause(partition)
