"""How many of its events a partition has on the topic; what the topic has lost is published again."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from booking_worker.recovery.event_log import last_event
from booking_worker.recovery.recorded_event import Recorded
from booking_worker.store.store import statements
from contracts.envelope import sequence_of
from contracts.topics import EVENTS_TOPIC
from infra.errors import MisconfiguredError
from infra.kafka.reader import SharedConsumer, bounds, read_on
from storage.authentic_events import AuthenticEvents, EarlierEvents
from storage.positions import Position, open_position
from storage.rows import EventRow

# Where the topic is longer than the events are many: repeats, or missing events. More repeats than this
# are not looked through whole; the last ones tell, unless their publisher was killed among them.
TAIL_MAX = 5_000
TAIL_MIN = 10

_log = structlog.get_logger(__name__)


class PublishedEvents:
    """Looks at the end of the events' topic."""

    def __init__(
        self,
        log: SharedConsumer,
        all_partitions: SharedConsumer,
        events_topic: str,
        pool: asyncpg.Pool,
        topic: str,
        topic_id: UUID,
        authentic: AuthenticEvents,
    ) -> None:
        """`log` and `all_partitions` read the events' topic; `topic` and its id are the commands'."""
        self._log = log
        self._all_partitions = all_partitions
        self._one_at_a_time = asyncio.Lock()
        self._events = events_topic
        self._pool = pool
        self._topic = topic
        self._topic_id = topic_id
        self._authentic = authentic

    async def is_complete(self, number: int) -> bool:
        """False if the topic has lost events that were published.

        Raises what `count` does.
        """
        position = await self.position(number)
        return position.published_count <= await self.count(number, position, 0)

    async def position(self, number: int) -> Position:
        """The position of a partition; its beginning where there is none yet."""
        return await open_position(self._pool, self._topic, number, self._topic_id)

    async def count(self, number: int, position: Position, tail_max: int = TAIL_MAX) -> int:
        """The last event of a partition on the topic, by its number. `tail_max`: how far repeats may reach.

        Raises:
            MisconfiguredError: it is not the one that the database has, or nothing can be compared.
            KafkaError, OUTAGES: a server is unavailable.
        """
        name, first = TopicPartition(self._events, number), max(position.event_count - 1, 0)
        async with self._log.use() as consumer:
            begin, end = await bounds(consumer, name)
            if begin > first:
                raise MisconfiguredError(
                    f"{self.name(number)}: the database has {position.event_count} events, and the topic "
                    f"goes from {begin} to {end}: events are missing."
                )
            near = min(max(first, end - tail_max), end - TAIL_MIN)
            last = await self._last(consumer, position, max(near, 0), end)
            far = min(first, max(end - TAIL_MAX, 0))
            if last is None or last.event.sequence < position.published_count:
                last = await self._last(consumer, position, far, end)
        if last is None and far > 0:
            raise MisconfiguredError(f"{self.name(number)}: there is no event at the end of the topic.")
        if last is None:
            return 0
        if last.event.sequence > position.event_count:
            # Unless somebody decided in it meanwhile: what is on the topic by now was committed before.
            position = await self.position(number)
        if last.event.sequence <= position.event_count:
            await self.check_same(number, last)
        return last.event.sequence

    async def authentic(
        self, consumer: AIOKafkaConsumer, position: Position, start: int, end: int
    ) -> AsyncGenerator[list[ConsumerRecord]]:
        """The records of a partition from an offset to just before `end`, without foreign events.

        Raises:
            MisconfiguredError: the topic and the database contradict each other.
            KafkaError, OUTAGES: a server is unavailable.
        """
        name = TopicPartition(self._events, position.partition)
        earlier = None if position.authenticated else await self._earlier(consumer, position, end)
        async with contextlib.aclosing(read_on(consumer, name, start, end)) as portions:
            async for records in portions:
                yield await self._authentic.among(self._pool, position.partition, records, earlier=earlier)

    async def _earlier(self, consumer: AIOKafkaConsumer, position: Position, end: int) -> EarlierEvents:
        name = TopicPartition(self._events, position.partition)
        start, beyond = max(position.event_count - 1, 0), False
        async with contextlib.aclosing(read_on(consumer, name, start, end)) as portions:
            async for records in portions:
                for record in records:
                    if self._authentic.mac.fits(record):
                        return EarlierEvents(record)
                    beyond = beyond or (sequence_of(record) or 0) > position.event_count
        if beyond and await self._has_macs():
            raise MisconfiguredError(
                f"{self.name(position.partition)}: the database lacks events, none of them has a MAC, and "
                "nothing tells whether an earlier release wrote these. If it did, let a worker of that "
                "release catch up; if not, set `authenticated` in booking.partition_progress."
            )
        return EarlierEvents(None)

    async def _has_macs(self) -> bool:
        """True if there is an event with a MAC at the end of any partition."""
        async with self._one_at_a_time, self._all_partitions.use() as consumer:
            for number in range(EVENTS_TOPIC.partitions):
                name = TopicPartition(self._events, number)
                begin, end = await bounds(consumer, name)
                async with contextlib.aclosing(
                    read_on(consumer, name, max(begin, end - TAIL_MAX), end)
                ) as portions:
                    async for records in portions:
                        if any(self._authentic.mac.fits(record) for record in records):
                            return True
        return False

    async def authenticated(self, number: int) -> None:
        """From now on, events of a partition that the table lacks need a MAC.

        If none of its events has one, the last is published again, so that the topic tells as much.
        """
        position = await self.position(number)
        if position.authenticated:
            return
        name = TopicPartition(self._events, number)
        async with self._log.use() as consumer:
            _, end = await bounds(consumer, name)
            has_mac = (await self._earlier(consumer, position, end)).first is not None
        published_count = position.event_count if has_mac else max(position.event_count - 1, 0)
        await self._pool.execute(statements["authenticated"], self._topic, number, published_count)

    async def publish_again(self, number: int, last: int, position: Position) -> None:
        """Have the owner publish again what comes behind the last event that the topic has.

        Raises:
            MisconfiguredError: the table does not have them all.
        """
        kept = await self._pool.fetchval(statements["count_events"], number, last)
        if kept != position.event_count - last:
            raise MisconfiguredError(
                f"{self.name(number)}: the topic ends with event {last} of {position.event_count}, and "
                f"the database has {kept} of those behind it: events are missing."
            )
        _log.critical(
            "the events' topic has lost its end: what is missing is published again",
            topic=self._events,
            partition=number,
            events=position.published_count - last,
        )
        await self._pool.execute(statements["publish_again"], self._topic, number, last)

    async def check_same(self, number: int, found: Recorded) -> None:
        """Compare an event with the table's, to the byte.

        Raises:
            MisconfiguredError: they differ.
        """
        row = await self._pool.fetchrow(statements["event"], number, found.event.sequence)
        if row is None or EventRow(**row) != found.row:
            raise MisconfiguredError(
                f"{self.name(number)}: event {found.event.sequence} on the topic is not the one in the "
                "database: they tell different histories."
            )

    def name(self, number: int) -> str:
        """The partition, for people."""
        return f"{self._events}, partition {number}"

    async def _last(
        self, consumer: AIOKafkaConsumer, position: Position, start: int, end: int
    ) -> Recorded | None:
        found = None
        async for records in self.authentic(consumer, position, start, end):
            last = last_event(records)
            if last is not None and (found is None or last.event.sequence > found.event.sequence):
                found = last
        return found
