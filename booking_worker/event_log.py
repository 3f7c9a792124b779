"""The events' topic, read outside of any group: in order, each event once, and nothing missing."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from booking_worker.recorded import Recorded, recorded
from contracts.dead_letters import UndecodableError
from contracts.topics import Topic
from infra.errors import MisconfiguredError
from infra.kafka import connect, connection, topic_name
from infra.settings import Settings

POLL_TIMEOUT_MS = 200
# A fetch at the end of a partition holds up the next one for so long.
FETCH_WAIT_MS_MAX = 10
# A sequence has fewer digits than a bigint.
SEQUENCE_DIGITS_MAX = 18

_log = structlog.get_logger(__name__)


async def start_consumer(
    settings: Settings, name: str, topic: Topic, *, committed: bool = False
) -> AIOKafkaConsumer:
    """A consumer of a topic, outside of any group, to `read_on` with, also by several callers at once.

    `committed`: only transactions that ended well.

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
    places = [TopicPartition(topic_name(settings, topic), number) for number in range(topic.partitions)]
    try:
        await connect(consumer.start())
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        consumer.pause(*places)
        # And its tasks have to have begun, or stopping it looks like being cancelled.
        await asyncio.sleep(0)
    except BaseException:
        await consumer.stop()
        raise
    return consumer


class SharedConsumer:
    """One consumer for all who read at the same time; closed behind the last of them."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, AIOKafkaConsumer]]) -> None:
        self._start = start
        self._users = 0
        self._starting = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[AIOKafkaConsumer]:
        """The consumer. Raises what starting one does."""
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


def sequence_of(record: ConsumerRecord) -> int | None:
    """The number that the worker gave to the event; None for what no worker wrote."""
    digits = dict(record.headers).get("ce_sequence") or b""
    return int(digits) if digits.isdigit() and len(digits) <= SEQUENCE_DIGITS_MAX else None


class EventsInOrder:
    """One partition's events: repeats and garbage passed over, nothing missing."""

    def __init__(self, name: str, last: int) -> None:
        """`name` says whose they are; `last` is the sequence of the event before."""
        self.last = last
        self._name = name

    def take(self, record: ConsumerRecord) -> Recorded | None:
        """The next event; None for a record that is not the next one because it was there before.

        Raises:
            MisconfiguredError: an event is missing, or cannot be read by this version.
        """
        sequence = sequence_of(record)
        if sequence is not None and sequence <= self.last:
            return None  # its publisher crashed before it had counted it, and sent it again
        try:
            one = recorded(record)
        except UndecodableError as error:
            if sequence == self.last + 1:
                raise MisconfiguredError(
                    f"{self._name}: event {sequence} at offset {record.offset} cannot be read: {error}"
                ) from None
            _log.error("not an event, passed over", partition=record.partition, offset=record.offset)
            return None
        if one.event.sequence != self.last + 1:
            raise MisconfiguredError(
                f"{self._name}: event {self.last + 1} is missing: {one.event.sequence} follows {self.last} "
                f"at offset {record.offset}"
            )
        if one.event.context.source.partition != record.partition:
            raise MisconfiguredError(f"{self._name}: event {sequence} is of another partition's command")
        self.last = one.event.sequence
        return one


async def read_on(
    consumer: AIOKafkaConsumer, place: TopicPartition, start: int, end: int
) -> AsyncGenerator[list[ConsumerRecord]]:
    """The records of a partition from an offset until just before `end`, in portions.

    The consumer is of `start_consumer`. While no broker answers, this waits.
    """
    consumer.seek(place, start)
    consumer.resume(place)
    try:
        # By position, not by count: markers of transactions take offsets, too.
        while await consumer.position(place) < end:
            polled = await consumer.getmany(place, timeout_ms=POLL_TIMEOUT_MS)
            if some := [record for record in polled.get(place, ()) if record.offset < end]:
                yield some
    finally:
        consumer.pause(place)


def last_event(records: list[ConsumerRecord]) -> Recorded | None:
    """The event with the highest sequence; a record that is no event tells nothing."""
    for record in sorted(records, key=lambda record: sequence_of(record) or 0, reverse=True):
        with contextlib.suppress(UndecodableError):
            return recorded(record)
    return None
