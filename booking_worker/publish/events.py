"""Publishes a partition's events after their commit, in order, to the same partition number.

Events come from memory or, after a crash or a commit with unknown result, from their table. Events that were
sent but not yet counted are sent again by the next owner; consumers recognise them by their sequence.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from booking_worker.store.store import statements
from infra.crypto.event_mac import EventMac
from infra.kafka.producer import is_broken
from infra.kafka.tracing import TracedRecord, record_spans
from infra.metrics import PARTITION_STOPPED
from infra.postgres import OUTAGES, is_outage, is_systems_fault
from infra.telemetry import SpanKind
from storage.rows import EventRow

AT_ONCE_MAX = 500
WAITING_MAX = 5_000
# While commands keep coming, the count travels with their transactions.
IDLE_BEFORE_COUNT_S = 0.2
RETRY_INTERVAL_S = 0.5
POLL_INTERVAL_S = 0.05
REFUSED_INTERVAL_S = 5.0

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
        mac: EventMac,
    ) -> None:
        self.published_count = 0
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._pool = pool
        self._commands_topic = commands_topic
        self._give_up = give_up
        self._mac = mac
        self._counted = 0
        self._event_count = 0
        self._in_memory: deque[EventRow] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._refused = False
        self._openings = 0
        self._stopped = PARTITION_STOPPED.labels(topic, str(partition))

    def open(self, published_count: int, event_count: int) -> None:
        """Begin behind what is published; what was committed before is published first, from its table."""
        self._openings += 1
        self._in_memory.clear()
        self.published_count = self._counted = published_count
        self._event_count = event_count
        self.committed([], event_count)

    async def emptied(self) -> None:
        """Return when nothing is left that only this process knows to be unpublished."""
        while self._in_memory and self._in_memory[-1].sequence > self.published_count:  # noqa: ASYNC110
            await asyncio.sleep(POLL_INTERVAL_S)

    def committed(self, events: list[EventRow], event_count: int) -> None:
        """Add events that a transaction committed. Must not block."""
        self._in_memory.extend(events)
        self._event_count = max(self._event_count, event_count)
        self._changed.set()
        self._update_room()

    def _update_room(self) -> None:
        self._stopped.set(self._refused)
        if self._refused or self._event_count - self.published_count > WAITING_MAX:
            self._room.clear()
        else:
            self._room.set()

    async def room(self) -> None:
        """Wait until few events are unpublished, so that deciding does not outrun publishing."""
        await self._room.wait()

    async def run(self) -> None:
        """Publish until cancelled. A bug ends the process."""
        try:
            while True:
                if self.published_count < self._event_count:
                    await self._publish_some()
                else:
                    await self._idle()
        except Exception as error:
            self._give_up(error)
        finally:
            self._stopped.set(0)
            await self._count()

    async def _idle(self) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(IDLE_BEFORE_COUNT_S if self._counted < self.published_count else None):
                await self._changed.wait()
        except TimeoutError:
            await self._count()

    async def _publish_some(self) -> None:
        openings = self._openings
        try:
            events = self._from_memory() or await self._from_table()
            async with record_spans(SpanKind.PRODUCER, self._topic, lambda: map(_traced, events)):
                await self._send(events)
        except (KafkaError, asyncpg.PostgresError, *OUTAGES) as error:
            if not isinstance(error, KafkaError) and not is_outage(error) and not is_systems_fault(error):
                raise
            await self._failed(error)
            return
        self._refused = False
        if openings == self._openings:
            self.published_count = events[-1].sequence
        self.committed([], 0)

    async def _failed(self, error: Exception) -> None:
        if is_outage(error) or (
            isinstance(error, KafkaError) and (error.retriable or isinstance(error, KafkaTimeoutError))
        ):
            _log.warning("events wait", partition=self._partition, error=repr(error))
            await asyncio.sleep(RETRY_INTERVAL_S)
            return
        if is_broken(self._producer, error):
            self._give_up(error)
        # Nothing more is decided in this partition until its events can be read and the broker takes them.
        self._refused = True
        self._update_room()
        _log.critical("events cannot be published", partition=self._partition, error=repr(error))
        await asyncio.sleep(REFUSED_INTERVAL_S)

    def _from_memory(self) -> list[EventRow]:
        while self._in_memory and self._in_memory[0].sequence <= self.published_count:
            self._in_memory.popleft()
        if not self._in_memory or self._in_memory[0].sequence != self.published_count + 1:
            return []
        return list(islice(self._in_memory, AT_ONCE_MAX))

    async def _from_table(self) -> list[EventRow]:
        rows = await self._pool.fetch(
            statements["unpublished_events"], self._partition, self.published_count, AT_ONCE_MAX
        )
        return [EventRow(**row) for row in rows]

    async def _send(self, events: list[EventRow]) -> None:
        # Whole batches: a tenth of what sending one by one costs, and no other partitioner to agree with.
        batch, acknowledgements = self._producer.create_batch(), []
        for event in events:
            record = self._record(event)
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
                statements["count_published"], self._commands_topic, self._partition, count
            )
        except (asyncpg.PostgresError, *OUTAGES) as error:
            # The count only saves the next owner from sending them again.
            _log.warning("the count of events waits", partition=self._partition, error=repr(error))
        else:
            self._counted = count

    def _record(self, event: EventRow) -> dict[str, Any]:
        return {
            "timestamp": int(event.decided_at.timestamp() * 1000),
            **self._mac.added(event.message(), self._partition)._asdict(),
        }


def _traced(event: EventRow) -> TracedRecord:
    # Its offset is left out: where many are sent at once, the broker tells that of the first.
    ids = {
        "messaging.message.id": str(event.event_id),
        "clinic.command.id": str(event.command_id),
        "clinic.event.type": event.type,
    }
    return TracedRecord(event.traceparent, event.partition, None, ids)
