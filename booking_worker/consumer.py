"""The FastStream side: which partitions are ours, where they begin, and their records in batches.

The position is the database's. Kafka's committed offset follows it, for tools that show lag.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from booking_worker.all_caught_up import AllCaughtUp
from booking_worker.decider import Decider
from booking_worker.partition import MisplacedError, OwnedPartition
from booking_worker.same_topic import SameTopic
from infra.background import all_of
from infra.errors import MisconfiguredError, TransientError
from infra.kafka import bounds
from infra.metrics import PARTITION_STOPPED
from infra.postgres import OUTAGES

# FastStream sleeps as long again after a poll that found nothing, so this is what an idle worker adds.
POLL_TIMEOUT_MS = 4
# Small enough that all partitions get their share of a poll: some 700 commands each.
PARTITION_FETCH_BYTES_MAX = 256 * 1024
REBALANCE_TIMEOUT_MS = 30_000
# Waiting out an outage is not idleness.
POLL_INTERVAL_MS_MAX = 24 * 60 * 60 * 1000
REVOKE_TIMEOUT_S = 20.0
RETRY_INTERVAL_S = 0.5
COMMIT_INTERVAL_S = 5.0
COMMIT_TIMEOUT_S = 3.0

_log = structlog.get_logger(__name__)


class CommandConsumer(ConsumerRebalanceListener):
    """Owns partitions as Kafka assigns them, and decides their commands."""

    def __init__(
        self,
        broker: KafkaBroker,
        topic: str,
        group_id: str,
        instance: str | None,
        session_timeout_ms: int,
        pool: asyncpg.Pool,
        decider: Decider,
        take: Callable[[int], OwnedPartition],
        give_up: Callable[[Exception], None],
        same_topic: SameTopic,
        caught_up: AllCaughtUp,
    ) -> None:
        """`take` makes what is known of a partition that is owned from now on; `give_up` ends the process.

        `caught_up` brings the database up to the events' topic before anything is decided.
        """
        self._topic = topic
        self._pool = pool
        self._decider = decider
        self._take = take
        self._give_up = give_up
        self._same_topic = same_topic
        self._caught_up = caught_up
        self._owned: dict[int, OwnedPartition] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._subscriber = broker.subscriber(
            topic,
            batch=True,
            group_id=group_id,
            group_instance_id=instance,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=session_timeout_ms // 5,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=POLL_INTERVAL_MS_MAX,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            fetch_max_wait_ms=200,
            batch_timeout_ms=POLL_TIMEOUT_MS,
            listener=self,
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )
        self._subscriber(self._handle)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish the batch in flight, then let go."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_TIMEOUT_S):
                await self._idle.wait()
        await self.release()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Take the partitions; each is read once its position is known. Must not block: no heartbeats yet."""
        self._consumer.pause(*assigned)
        for partition in assigned:
            PARTITION_STOPPED.labels(self._topic, str(partition.partition)).set(0)
            self._tasks[partition.partition] = asyncio.create_task(self._own(partition))
        _log.info("partitions assigned", partitions=sorted(partition.partition for partition in assigned))

    async def release(self) -> None:
        """Decide and publish nothing more."""
        self._owned.clear()
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def keep_committing(self) -> None:
        """Tell Kafka the positions from time to time, until cancelled."""
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            offsets = {
                TopicPartition(self._topic, number): owned.next_offset
                for number, owned in self._owned.items()
            }
            if not offsets or self._subscriber.consumer is None:
                continue  # of nothing aiokafka makes an error; and at the end there is no consumer any more
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    await self._consumer.commit(offsets)
            except (KafkaError, TimeoutError) as error:
                _log.info("offsets not committed", error=repr(error))

    @property
    def _consumer(self) -> Any:
        assert self._subscriber.consumer is not None, "the subscriber has started"
        return self._subscriber.consumer

    async def _own(self, partition: TopicPartition) -> None:
        owned = self._take(partition.partition)
        try:
            if await self._position(partition, owned):
                self._owned[partition.partition] = owned
                await owned.publisher.run()
        except Exception as error:
            self._give_up(error)

    async def _position(self, partition: TopicPartition, owned: OwnedPartition) -> bool:
        while True:
            try:
                # At once: over a slow connection each takes many round trips.
                await all_of([self._same_topic.check(), self._open(partition, owned)])
                if self._subscriber.consumer is None:
                    return False  # it was stopped meanwhile
                self._consumer.seek(partition, owned.next_offset)
                self._consumer.resume(partition)
            except MisconfiguredError as error:
                self._tell_stopped(partition.partition, error)
                return False
            except IllegalStateError:
                return False  # it was taken away meanwhile
            except (KafkaError, TransientError, *OUTAGES) as error:
                _log.warning("position unknown yet", partition=partition.partition, error=repr(error))
                await asyncio.sleep(RETRY_INTERVAL_S)
            else:
                return True

    async def _open(self, partition: TopicPartition, owned: OwnedPartition) -> None:
        await self._caught_up.take_up(partition.partition)
        await owned.open(self._pool)
        # Only now: the position of before never lies behind the end of now.
        owned.check_within(*await bounds(self._consumer, partition))

    async def _handle(self, records: tuple[ConsumerRecord, ...]) -> None:
        # No exception may leave: FastStream would drop the batch and go on. The decider returns what stops.
        by_partition: dict[OwnedPartition, list[ConsumerRecord]] = defaultdict(list)
        for record in records:
            # Without an owner it is read again, from the position, once that is known.
            if owned := self._owned.get(record.partition):
                by_partition[owned].append(record)
        self._idle.clear()
        try:
            stopped = await self._decider.work_off(by_partition)
        finally:
            self._idle.set()
        for owned, error in stopped.items():
            with contextlib.suppress(IllegalStateError):
                self._stop_or_seek(owned, error)

    def _tell_stopped(self, partition: int, error: MisconfiguredError) -> None:
        _log.critical("partition stopped", partition=partition, error=str(error))
        PARTITION_STOPPED.labels(self._topic, str(partition)).set(1)

    def _stop_or_seek(self, owned: OwnedPartition, error: MisplacedError | MisconfiguredError) -> None:
        partition = TopicPartition(self._topic, owned.number)
        if isinstance(error, MisplacedError):
            _log.info("seeking", partition=owned.number, next_offset=error.next_offset)
            self._consumer.seek(partition, error.next_offset)
        else:
            self._tell_stopped(owned.number, error)
            self._owned.pop(owned.number, None)
            self._consumer.pause(partition)


async def _parse(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    # FastStream's own parser decodes headers as UTF-8 and silently drops what is none.
    return KafkaMessage(raw_message=records, body=b"", consumer=_NoConsumer())


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message


class _NoConsumer:
    async def commit(self) -> None:
        raise AssertionError("positions are in the database")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        raise AssertionError("positions are in the database")
