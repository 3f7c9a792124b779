"""Set aside what can never be decided, once: before the position moves, and never a second time.

A partition's letters have a producer with a transactional id of their own (KIP-98). Whoever opens one shuts
out the owner before, by the broker's epoch, and only then looks which letters are there already. So what a
crash between acknowledgement and commit has left behind is known, and one that froze cannot add to it.
Read the topic with `isolation.level=read_committed`.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from uuid import UUID

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from booking_worker.incoming import Incoming
from booking_worker.metrics import DEAD_LETTERS
from contracts.dead_letters import UndecodableError, dead_letter_headers, origin_of
from infra.errors import TransientError
from infra.kafka import start_producer, tail
from infra.settings import Settings

# More than one transaction can leave behind: what is older is below the position.
LETTERS_LOOKED_AT_MAX = 1_000
OPEN_TIMEOUT_S = 15.0
# Shorter than a transaction of the database may be idle.
PUBLISH_TIMEOUT_S = 0.8
TRANSACTION_TIMEOUT_MS = 10_000

_log = structlog.get_logger(__name__)
Letter = tuple[Incoming, UndecodableError]


class DeadLetters:
    """Writes `booking.dlq.v1`: the original key, value and headers, why, and where it came from."""

    def __init__(self, settings: Settings, name: str, topic: str, topic_id: UUID) -> None:
        """`topic` is the dead letters' own; `topic_id` is that of the commands' topic."""
        self._settings = settings
        self._name = name
        self._topic = topic
        self._topic_id = topic_id
        self._open: dict[int, tuple[AIOKafkaProducer, set[int]]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, partitions: Iterable[int]) -> None:
        """Make ready to publish for these partitions. Not inside a transaction: it may take a second.

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
        """Return when the broker has all of them, from now or from before. `open` comes first.

        Raises:
            TransientError: it does not say so; the batch has to be tried again.
        """
        for partition in sorted({item.partition for item, _ in letters}):
            if partition not in self._open:
                raise TransientError("dead letters have to be opened again")
            producer, known = self._open[partition]
            new = [one for one in letters if one[0].partition == partition and one[0].offset not in known]
            if not new:
                continue
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                    await self._send(producer, new)
            except Exception as error:
                # Shut out, or unclear: the next one to open finds out what is there.
                del self._open[partition]
                self._close(producer)
                raise TransientError(f"dead letters were not acknowledged: {error!r}") from error
            known.update(item.offset for item, _ in new)
            known.difference_update(sorted(known)[:-LETTERS_LOOKED_AT_MAX])
            for item, why in new:
                DEAD_LETTERS.labels(why.reason).inc()
                _log.error("dead letter", partition=partition, offset=item.offset, reason=why.reason)

    async def _send(self, producer: AIOKafkaProducer, letters: list[Letter]) -> None:
        await producer.begin_transaction()
        acknowledgements = []
        for item, error in letters:
            record = item.record
            origin = dead_letter_headers(error, record.topic, self._topic_id, record.partition, record.offset)
            acknowledgements.append(
                await producer.send(
                    self._topic,
                    # A record without key and value cannot be sent; the headers tell what it was.
                    record.value if record.value is not None or record.key is not None else b"",
                    key=record.key,
                    partition=record.partition,
                    # The broker refuses one from a worker whose clock is ahead.
                    timestamp_ms=record.timestamp,
                    headers=[*record.headers, *origin],
                )
            )
        await asyncio.gather(*acknowledgements)
        await producer.commit_transaction()

    async def close(self) -> None:
        """Publish nothing more."""
        for producer, _ in self._open.values():
            self._close(producer)
        self._open.clear()
        if self._closing:
            await asyncio.wait(self._closing, timeout=PUBLISH_TIMEOUT_S)

    def _close(self, producer: AIOKafkaProducer) -> None:
        async def stop() -> None:
            with contextlib.suppress(Exception):
                await producer.stop()

        # Beside the rest: while Kafka is away it takes as long as a request may.
        task = asyncio.create_task(stop())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
