"""A check that the commands' log still holds the command that was decided last, where it was decided.

A log may lose its end although it was acknowledged: disks without fsync, an unclean election. Then other
commands take the places of those that were decided, and the position alone does not show it. (KIP-320 has the
same idea: compare what was read last, not only where.)
"""

import contextlib
from functools import partial
from uuid import UUID

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from booking_worker.store.store import statements
from contracts.envelope import read_uuid
from contracts.topics import COMMANDS_TOPIC
from infra.errors import MisconfiguredError
from infra.kafka.aiokafka_fixes import error_of
from infra.kafka.connection import topic_name
from infra.kafka.reader import SharedConsumer, bounds, read_on, start_consumer
from infra.settings import Settings

_log = structlog.get_logger(__name__)


class DecidedLog:
    """Compares the last decision of a partition with the record that it was made for."""

    def __init__(self, settings: Settings, name: str, pool: asyncpg.Pool) -> None:
        self._topic = topic_name(settings, COMMANDS_TOPIC)
        self._pool = pool
        self._log = SharedConsumer(partial(start_consumer, settings, f"{name} log check", COMMANDS_TOPIC))

    def connected(self) -> contextlib.AbstractAsyncContextManager[AIOKafkaConsumer]:
        """While inside, no `check` has to wait for a connection to the topic."""
        return self._log.use()

    async def check(self, partition: int) -> None:
        """Compare.

        Raises:
            MisconfiguredError: another record is there, or none although the log goes on behind it.
            KafkaError, OUTAGES: a server is unavailable.
        """
        row = await self._pool.fetchrow(statements["last_decided"], partition)
        if row is None:
            return
        offset, command_id, decided_at = row["offset"], row["command_id"], row["decided_at"]
        name = TopicPartition(self._topic, partition)
        async with self._log.use() as consumer:
            start, end = await bounds(consumer, name)
            if not start <= offset < end:
                return  # expired, or cut off: the position tells
            record = await _first(consumer, name, offset, end)
        if record is not None and error_of(record):
            _log.error("the command decided last cannot be read any more", partition=partition, offset=offset)
        elif record is None or _place(record) != (offset, command_id, round(decided_at.timestamp() * 1000)):
            raise MisconfiguredError(
                f"{self._topic}, partition {partition}: at offset {offset} command {command_id} was decided, "
                "and another record is there now: the log has lost records and taken others in their place."
            )


def _place(record: ConsumerRecord) -> tuple[int, UUID | None, int]:
    return record.offset, read_uuid(dict(record.headers).get("ce_id")), record.timestamp


async def _first(
    consumer: AIOKafkaConsumer, name: TopicPartition, start: int, end: int
) -> ConsumerRecord | None:
    async with contextlib.aclosing(read_on(consumer, name, start, end)) as portions:
        async for records in portions:
            return records[0]
    return None
