"""Publishes dead letters exactly once, before the position moves.

Each partition has a producer with its own transactional id (KIP-98). A new owner first fences off the former
one, by the broker's epoch, and then reads which dead letters exist. So it knows those that a crash between
acknowledgement and commit has left, and a frozen worker cannot add any.
Read the topic with `isolation.level=read_committed`.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from uuid import UUID

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from booking_worker.decide.command_record import CommandRecord
from booking_worker.metrics import DEAD_LETTERS
from contracts.dead_letters import UndecodableError, dead_letter_headers, origin_of
from infra.errors import MisconfiguredError, TransientError
from infra.kafka.producer import start_producer
from infra.kafka.reader import tail
from infra.settings import Settings
from infra.telemetry import request_of

# More than a single transaction can leave: older ones are below the position.
LETTERS_LOOKED_AT_MAX = 1_000
OPEN_TIMEOUT_S = 15.0
# Less than the topic's limit for key, value and headers, to which the dead letter's headers are added.
RECORD_BYTES_MAX = 1_900_000
# Shorter than the idle time-out of database transactions.
PUBLISH_TIMEOUT_S = 0.8
TRANSACTION_TIMEOUT_MS = 10_000
# These errors persist until an operator changes the topic.
REFUSED = (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
TRUNCATED = "dlq_truncated"
"""The header of a truncated dead letter; its value is the size of the record, bytes."""

_log = structlog.get_logger(__name__)
Letter = tuple[CommandRecord, UndecodableError]


class DeadLetters:
    """Writes `booking.dlq.v1`: the original key, value and headers, the reason, and the source."""

    def __init__(self, settings: Settings, name: str, topic: str, topic_id: UUID) -> None:
        """`topic` is that of the dead letters, `topic_id` that of the commands' topic."""
        self._settings = settings
        self._name = name
        self._topic = topic
        self._topic_id = topic_id
        self._open: dict[int, tuple[AIOKafkaProducer, set[int]]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._reported: dict[int, int] = {}

    async def open(self, partitions: Iterable[int]) -> None:
        """Prepare to publish for these partitions. Call it outside of a transaction: it may take a second.

        Raises:
            TransientError: Kafka does not answer.
        """
        for partition in set(partitions) - self._open.keys():
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await self._open_one(partition)
            except (KafkaError, OSError) as error:
                raise TransientError(f"dead letters cannot be written: {error!r}") from error

    async def _open_one(self, partition: int) -> None:
        producer = await start_producer(
            self._settings,
            f"{self._name} dead letters",
            transactional_id=f"{self._topic}-{partition}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        )
        try:
            letters = await tail(self._settings, self._topic, partition, LETTERS_LOOKED_AT_MAX)
            origins = (origin_of(letter.headers) for letter in letters)
            known = {origin.offset for origin in origins if origin and origin.topic_id == self._topic_id}
        except BaseException:
            self._close(producer)
            raise
        self._open[partition] = (producer, known)

    async def publish(self, letters: list[Letter]) -> None:
        """Publish those that are not on the topic yet; return once all are acknowledged. Call `open` before.

        Raises:
            TransientError: they were not acknowledged; the batch has to be retried.
            MisconfiguredError: the topic rejects such a record.
        """
        for partition in sorted({item.partition for item, _ in letters}):
            if partition not in self._open:
                raise TransientError("dead letters have to be opened again")
            producer, known = self._open[partition]
            own = [(item, error) for item, error in letters if item.partition == partition]
            new = [(item, error) for item, error in own if item.offset not in known]
            try:
                if new:
                    async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                        await self._send(producer, new)
            except BaseException as error:
                # Fenced off, cut off, or the result is unknown: opening again reads what exists.
                del self._open[partition]
                self._close(producer)
                if isinstance(error, REFUSED):
                    raise MisconfiguredError(f"dead letters are refused: {error!r}") from error
                if isinstance(error, Exception):
                    raise TransientError(f"dead letters were not acknowledged: {error!r}") from error
                raise
            known.update(item.offset for item, _ in new)
            known.difference_update(sorted(known)[:-LETTERS_LOOKED_AT_MAX])
            self._report(partition, own)

    def _report(self, partition: int, letters: list[Letter]) -> None:
        # Also those that were written before and not acknowledged, which nobody has told of.
        for item, why in letters:
            if item.offset > self._reported.get(partition, -1):
                self._reported[partition] = item.offset
                DEAD_LETTERS.labels(why.reason).inc()
                where = {"partition": partition, "offset": item.offset, **request_of(item.traceparent)}
                _log.error("dead letter", **where, reason=why.reason)

    async def _send(self, producer: AIOKafkaProducer, letters: list[Letter]) -> None:
        await producer.begin_transaction()
        acknowledgements = []
        for item, error in letters:
            record = item.record
            key, value, headers = _shortened(record)
            origin = dead_letter_headers(error, record.topic, self._topic_id, record.partition, record.offset)
            acknowledgements.append(
                await producer.send(
                    self._topic,
                    value,
                    key=key,
                    partition=record.partition,
                    # Not the current time, which the broker rejects from a worker whose clock is ahead.
                    timestamp_ms=record.timestamp,
                    headers=headers + origin,
                )
            )
        await asyncio.gather(*acknowledgements)
        await producer.commit_transaction()

    async def close(self) -> None:
        """Stop publishing."""
        for producer, _ in self._open.values():
            self._close(producer)
        self._open.clear()
        if self._closing:
            await asyncio.wait(self._closing, timeout=PUBLISH_TIMEOUT_S)

    def _close(self, producer: AIOKafkaProducer) -> None:
        async def stop() -> None:
            with contextlib.suppress(Exception):
                await producer.stop()

        # In the background: while Kafka is unavailable, it takes as long as a request time-out.
        task = asyncio.create_task(stop())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _shortened(record: ConsumerRecord) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]:
    """Key, value and headers, truncated to the topic's limit: a record that was compressed may be of any
    size."""
    key, value, headers = record.key, record.value, list(record.headers)
    if key is None and value is None:
        value = b""  # a record without both cannot be sent; the headers tell what it was
    without_value = len(key or b"") + sum(len(name.encode()) + len(text or b"") for name, text in headers)
    size = without_value + len(value or b"")
    if size <= RECORD_BYTES_MAX:
        return key, value, headers
    if without_value > RECORD_BYTES_MAX // 2:
        key, headers, without_value = (key or b"")[: RECORD_BYTES_MAX // 4], [], RECORD_BYTES_MAX // 4
    value = (value or b"")[: RECORD_BYTES_MAX - without_value]
    return key, value, [*headers, (TRUNCATED, str(size).encode())]
