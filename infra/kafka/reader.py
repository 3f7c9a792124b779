"""Reads topics outside of any consumer group: bounds, the end of a partition, records from an offset on."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from contracts.topics import Topic
from infra.jobs import all_of
from infra.kafka.connection import connect, connection, topic_name
from infra.settings import Settings

POLL_TIMEOUT_MS = 200
# A fetch at the end of a partition delays the next one by up to this.
FETCH_WAIT_MS_MAX = 10


async def bounds(consumer: AIOKafkaConsumer, partition: TopicPartition) -> tuple[int, int]:
    """The first available offset of a partition and the one after its last.

    Raises:
        KafkaError: no broker answers.
    """
    begins, ends = await all_of([consumer.beginning_offsets([partition]), consumer.end_offsets([partition])])
    return begins[partition], ends[partition]


async def tail(settings: Settings, topic: str, partition: int, offsets: int) -> list[ConsumerRecord]:
    """The committed records among the last `offsets` offsets of a partition.

    Raises:
        KafkaError: no broker answers.
    """
    consumer = AIOKafkaConsumer(
        **connection(settings), enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        await connect(consumer.start())
        name = TopicPartition(topic, partition)
        consumer.assign([name])
        start, end = await bounds(consumer, name)
        return [
            record
            async for portion in read_on(consumer, name, max(start, end - offsets), end)
            for record in portion
        ]
    finally:
        await consumer.stop()


async def start_consumer(
    settings: Settings, name: str, topic: Topic, *, committed: bool = False
) -> AIOKafkaConsumer:
    """A consumer of a topic, outside of any group, to `read_on` with, also by several callers at once.

    `committed`: only records of committed transactions.

    Raises:
        KafkaError: no broker answers.
    """
    consumer = AIOKafkaConsumer(
        **connection(settings),
        client_id=name,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed" if committed else "read_uncommitted",
        fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
    )
    # Assigned once: a consumer of aiokafka that is stopped shortly after another assignment may never end.
    partitions = [TopicPartition(topic_name(settings, topic), number) for number in range(topic.partitions)]
    try:
        await connect(consumer.start())
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        consumer.pause(*partitions)
        # Its tasks must have begun, or stopping it looks like a cancellation.
        await asyncio.sleep(0)
    except BaseException:
        await consumer.stop()
        raise
    return consumer


class SharedConsumer:
    """One consumer for all concurrent readers; closed after the last of them."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, AIOKafkaConsumer]]) -> None:
        self._start = start
        self._users = 0
        self._starting = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[AIOKafkaConsumer]:
        """The consumer. Raises what starting it raises."""
        self._users += 1
        try:
            async with self._starting:
                if self._consumer is None:
                    self._consumer = await self._start()
            assert self._consumer is not None, "it was started"
            yield self._consumer
        finally:
            self._users -= 1
            if self._users == 0 and self._consumer is not None:
                consumer, self._consumer = self._consumer, None
                await consumer.stop()


async def read_on(
    consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, end: int
) -> AsyncGenerator[list[ConsumerRecord]]:
    """The records of a partition from an offset until just before `end`, in portions.

    The consumer comes from `start_consumer`. Waits while no broker answers.

    Raises:
        OffsetOutOfRangeError: the log has lost its end since `end` was asked for.
    """
    consumer.seek(partition, start)
    consumer.resume(partition)
    try:
        # By position, not by count: markers of transactions take offsets, too.
        while await consumer.position(partition) < end:
            polled = await consumer.getmany(partition, timeout_ms=POLL_TIMEOUT_MS)
            if portion := [record for record in polled.get(partition, ()) if record.offset < end]:
                yield portion
            elif not polled:
                await _check_reaches(consumer, partition, end)
    finally:
        consumer.pause(partition)


async def _check_reaches(consumer: AIOKafkaConsumer, partition: TopicPartition, end: int) -> None:
    try:
        reached = (await consumer.end_offsets([partition]))[partition]
    except KafkaError:
        return  # no broker answers: nothing is known
    if reached < end:
        raise OffsetOutOfRangeError(f"{partition} was read to {end}, and ends at {reached} now")
