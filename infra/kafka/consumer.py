"""The consumer of commands, events and all other topics.

FastStream polls. Each partition has its own task and a bounded queue, so that no partition waits for another:
it is paused when its queue is full, and stopped with an alert and retried later when it cannot continue.

The position of a partition is in the database, next to the results of its records. Kafka's committed offset
follows it, for tools that show lag.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from contracts.topics import Topic
from infra.jobs import to_the_end
from infra.kafka.assigned_partition import AssignedPartition
from infra.kafka.connection import connect, faststream_connection, topic_name
from infra.kafka.partition import Partition
from infra.kafka.progress_watch import ProgressWatch
from infra.metrics import KAFKA_ERRORS
from infra.service import Service
from infra.settings import Settings

# Small enough that all partitions get their share of a fetch: about 700 commands each.
PARTITION_FETCH_BYTES_MAX = 256 * 1024
FETCH_WAIT_MS_MAX = 200
REBALANCE_TIMEOUT_MS = 30_000
# Longer than a transaction may take. The database rolls back what is cancelled then.
REVOKE_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 3.0
COMMIT_INTERVAL_S = 5.0
COMMIT_TIMEOUT_S = 3.0

_log = structlog.get_logger(__name__)


class Consumer(ConsumerRebalanceListener):
    """Reads a topic as a member of a group; `own` returns the processor of a partition number."""

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        *,
        group: str,
        own: Callable[[int], Partition],
        service: Service,
        batch_ms: int = 0,
    ) -> None:
        """`batch_ms`: the broker collects records for this long, so that batches are fewer and larger."""
        self._settings = settings
        self._topic = topic_name(settings, topic)
        self._partitions = topic.partitions
        self._own = own
        self._service = service
        self._assigned: dict[TopicPartition, AssignedPartition] = {}
        self._watch: ProgressWatch | None = None
        self._broker = KafkaBroker(
            **faststream_connection(settings),
            client_id=settings.instance or group,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=STOP_TIMEOUT_S,
            logger=_client_logger(),
            log_level=logging.DEBUG,
        )
        self._subscriber = self._broker.subscriber(
            self._topic,
            group_id=f"{settings.namespace}{group}",
            group_instance_id=settings.instance,
            ack_policy=AckPolicy.MANUAL,
            # A position outside of the log is handled here, never reset silently.
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.session_timeout_ms // 5,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            fetch_min_bytes=PARTITION_FETCH_BYTES_MAX if batch_ms else 1,
            fetch_max_wait_ms=batch_ms or FETCH_WAIT_MS_MAX,
            listener=self,
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )
        self._subscriber(self._handle)
        service.add_checks(live=self._not_live, ready=self._not_ready)

    async def run(self) -> None:
        """Consume until cancelled.

        Raises:
            StandingStillError: the Kafka client is broken, or a partition makes no progress for no known
            reason. KafkaError: no broker answers at the start.
        """
        try:
            await connect(self._broker.start())
            self._watch = ProgressWatch(self._client, self._assigned, self._settings.progress_timeout_s)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_committing())
                group.create_task(self._watch.run())
        finally:
            await to_the_end(self._stop())

    async def _stop(self) -> None:
        if 0 < len(self._assigned) < self._partitions:
            # aiokafka does not tell when a static member leaves, and its partitions wait for its session's
            # end. Others are there, and take them at once.
            self._client._coordinator._group_instance_id = None
        await self._release(set(self._assigned))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * STOP_TIMEOUT_S):
                await self._broker.stop()

    # Assignment

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Let batches in progress finish, for a limited time, and release the partitions."""
        await self._release(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause reading until the positions are known. Must not block: no heartbeats are sent until it
        returns."""
        self._client.pause(*assigned)
        for name in assigned:
            # Any position, so that aiokafka does not look for one; the real one follows.
            self._client.seek(name, 0)
            self._assigned[name] = AssignedPartition(name, self._own(name.partition), self._client)
        _log.info("partitions assigned", topic=self._topic, partitions=sorted(name[1] for name in assigned))

    async def _release(self, revoked: set[TopicPartition]) -> None:
        released = [self._assigned.pop(name) for name in revoked if name in self._assigned]
        for assigned in released:
            assigned.release()
        tasks = [assigned.task for assigned in released]
        if tasks:
            await asyncio.wait(tasks, timeout=REVOKE_TIMEOUT_S)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=REVOKE_TIMEOUT_S)
        for assigned in released:
            await assigned.close()

    # Polling

    async def _handle(self, record: ConsumerRecord) -> None:
        # FastStream polls one record without a time-out, so an idle topic costs nothing; the rest is
        # available.
        name = TopicPartition(record.topic, record.partition)
        polled = await self._client.getmany()
        polled[name] = [record, *polled.get(name, ())]
        for name, records in polled.items():
            if (assigned := self._assigned.get(name)) is not None:
                assigned.enqueue(records)

    # Background

    async def _keep_committing(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_INTERVAL_S)
            offsets = {
                name: assigned.partition.next_offset
                for name, assigned in self._assigned.items()
                if assigned.queue.expected is not None
            }
            if not offsets:
                continue  # aiokafka raises an error for an empty commit
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT_S):
                    await self._client.commit(offsets)
            except (KafkaError, TimeoutError) as error:
                _log.info("offsets not committed", error=repr(error))

    def _not_live(self) -> str | None:
        return self._watch.standing_still if self._watch is not None else None

    def _not_ready(self) -> str | None:
        for assigned in list(self._assigned.values()):
            if reason := assigned.stopped or assigned.pause.reason:
                return f"{self._topic}, partition {assigned.name.partition}: {reason}"
        return None

    @property
    def _client(self) -> Any:
        assert self._subscriber.consumer is not None, "the subscriber has started"
        return self._subscriber.consumer


async def _parse(record: ConsumerRecord) -> KafkaMessage:
    # FastStream's own parser decodes headers as UTF-8 and silently drops others.
    return KafkaMessage(raw_message=record, body=b"", consumer=_NoConsumer())


async def _decode(message: KafkaMessage) -> Any:
    return message.raw_message


class _NoConsumer:
    async def commit(self) -> None:
        raise AssertionError("positions are in the database")

    def seek(self, partition: TopicPartition, offset: int) -> None:
        raise AssertionError("positions are in the database")


class _Counter(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        KAFKA_ERRORS.labels(record.name).inc()


def _client_logger() -> logging.Logger:
    """FastStream's logger. Errors that the Kafka clients log are counted from now on."""
    for name in ("aiokafka", "faststream"):
        logger = logging.getLogger(name)
        if not any(isinstance(handler, _Counter) for handler in logger.handlers):
            logger.addHandler(_Counter(logging.ERROR))
    return logging.getLogger("faststream")
