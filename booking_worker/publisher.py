"""Publishes a partition's events after their commit, in order, to the same partition number.

Events come from memory, or, after a crash or an unclear commit, from their table. What was sent but not yet
counted is sent again by the next owner: consumers know it by its sequence.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from booking_worker.deciding import NewEvent
from contracts.envelope import event_headers
from infra.postgres import OUTAGES

AT_ONCE_MAX = 500
WAITING_MAX = 5_000
# While commands keep coming, the count travels with their transactions.
IDLE_BEFORE_COUNT_S = 0.2
RETRY_INTERVAL_S = 0.5

_log = structlog.get_logger(__name__)


class EventPublisher:
    """One per owned partition, from `run` until it is cancelled.

    `published_count` is how many of the partition's events are acknowledged; `give_up` is called when the
    producer can never send again.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        pool: asyncpg.Pool,
        commands_topic: str,
        give_up: Callable[[Exception], None],
    ) -> None:
        self.published_count = 0
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._pool = pool
        self._commands_topic = commands_topic
        self._give_up = give_up
        self._counted = 0
        self._event_count = 0
        self._in_memory: deque[NewEvent] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    def open(self, published_count: int, event_count: int) -> None:
        """Begin behind what is published; what was committed before is published first."""
        self.published_count = self._counted = published_count
        self.committed([], event_count)

    def committed(self, events: list[NewEvent], event_count: int) -> None:
        """Tell of events that a transaction committed. Must not block."""
        self._in_memory.extend(events)
        self._event_count = max(self._event_count, event_count)
        self._room.clear() if self._event_count - self.published_count > WAITING_MAX else self._room.set()
        self._changed.set()

    async def room(self) -> None:
        """Return when not too many events wait: deciding must not run away from publishing."""
        await self._room.wait()

    async def run(self) -> None:
        """Publish until cancelled."""
        try:
            while True:
                if self.published_count < self._event_count:
                    await self._publish_some()
                else:
                    await self._idle()
        finally:
            with contextlib.suppress(*OUTAGES):
                await self._count()

    async def _idle(self) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(IDLE_BEFORE_COUNT_S if self._counted < self.published_count else None):
                await self._changed.wait()
        except TimeoutError:
            await self._count()

    async def _publish_some(self) -> None:
        try:
            events = self._from_memory() or await self._from_table()
            await self._send(events)
        except (KafkaError, *OUTAGES) as error:
            if isinstance(error, KafkaError) and not error.retriable:
                self._give_up(error)
            _log.warning("events wait", partition=self._partition, error=repr(error))
            await asyncio.sleep(RETRY_INTERVAL_S)
            return
        self.published_count = events[-1].sequence
        self.committed([], 0)

    def _from_memory(self) -> list[NewEvent]:
        while self._in_memory and self._in_memory[0].sequence <= self.published_count:
            self._in_memory.popleft()
        if not self._in_memory or self._in_memory[0].sequence != self.published_count + 1:
            return []
        return [self._in_memory[place] for place in range(min(len(self._in_memory), AT_ONCE_MAX))]

    async def _from_table(self) -> list[NewEvent]:
        rows = await self._pool.fetch(
            """
            SELECT partition, sequence, event_id, type, key, subject, command_id, decided_at, traceparent,
                data
            FROM booking.events WHERE partition = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
            """,
            *(self._partition, self.published_count, AT_ONCE_MAX),
        )
        return [NewEvent(**row) for row in rows]

    async def _send(self, events: list[NewEvent]) -> None:
        # Whole batches: a tenth of what sending one by one costs, and no other partitioner to agree with.
        batch, acknowledgements = self._producer.create_batch(), []
        for event in events:
            record = _record(event)
            if batch.append(**record) is None:
                acknowledgements.append(await self._send_batch(batch))
                batch = self._producer.create_batch()
                batch.append(**record)
        acknowledgements.append(await self._send_batch(batch))
        await asyncio.gather(*acknowledgements)

    async def _send_batch(self, batch: Any) -> Any:
        batch.close()
        return await self._producer.send_batch(batch, self._topic, partition=self._partition)

    async def _count(self) -> None:
        if self._counted == self.published_count:
            return
        count = self.published_count
        try:
            await self._pool.execute(
                """
                UPDATE booking.partition_progress SET published_count = greatest(published_count, $3)
                WHERE topic = $1 AND partition = $2
                """,
                *(self._commands_topic, self._partition, count),
            )
        except OUTAGES as error:
            _log.warning("the count of events waits", partition=self._partition, error=repr(error))
        else:
            self._counted = count


def _record(event: NewEvent) -> dict[str, Any]:
    return {
        "timestamp": int(event.decided_at.timestamp() * 1000),
        "key": event.key.encode(),
        "value": event.data.encode(),
        "headers": event_headers(
            *(event.event_id, event.type, event.decided_at, event.subject, event.sequence, event.traceparent)
        ),
    }
