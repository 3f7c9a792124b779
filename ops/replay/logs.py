"""Reads of the logs for a verification: commands, events of workers, dead letters."""

from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contracts.dead_letters import origin_of
from contracts.topics import DEAD_LETTERS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.reader import bounds, read_on
from infra.settings import Settings
from ops.replay.redecide import Letters
from storage.authentic_events import AuthenticEvents


async def commands_of(
    consumer: AIOKafkaConsumer, partition: TopicPartition, next_offset: int
) -> AsyncIterator[list[ConsumerRecord]]:
    """The commands of a partition, up to the position."""
    begin, end = await bounds(consumer, partition)
    async for records in read_on(consumer, partition, begin, min(end, next_offset)):
        yield records


async def first_since(
    consumer: AIOKafkaConsumer, partition: TopicPartition, since: datetime | None, next_offset: int
) -> int:
    """The offset of the first command that the broker took at that time or later."""
    if since is None:
        return 0
    since_ms = max(int(since.timestamp() * 1000), 0)
    found = (await consumer.offsets_for_times({partition: since_ms}))[partition]
    return min(found.offset, next_offset) if found else next_offset


async def written_by_workers(
    authentic: AuthenticEvents,
    pool: asyncpg.Pool,
    number: int,
    events: AsyncIterator[list[ConsumerRecord]],
) -> AsyncIterator[list[ConsumerRecord]]:
    """The events of a partition, without records that nobody of ours wrote."""
    async for records in events:
        yield await authentic.among(pool, number, records)


async def dead_letters_of(
    consumer: AIOKafkaConsumer, settings: Settings, number: int, topic_id: str
) -> Letters:
    """The dead letters of a partition of the commands' topic, which has this id."""
    partition = TopicPartition(topic_name(settings, DEAD_LETTERS_TOPIC), number)
    begin, end = await bounds(consumer, partition)
    reasons = {}
    async for records in read_on(consumer, partition, begin, end):
        for record in records:
            origin = origin_of(record.headers)
            if origin and (str(origin.topic_id), origin.partition) == (topic_id, number):
                reasons[origin.offset] = origin.reason
    return Letters(reasons, kept=begin == 0)
