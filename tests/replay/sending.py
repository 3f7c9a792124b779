"""Writing histories to the commands' topic."""

import asyncio
import contextlib
from collections.abc import Iterator
from itertools import islice

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.topics import COMMANDS_TOPIC
from infra.errors import MisconfiguredError
from infra.kafka.connection import connection, topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.topics import ensure_topics
from tests.replay.history import Record

AT_ONCE = 20


async def make_topics(settings: Settings) -> None:
    """Create the topics; the commands' topic keeps the records' timestamps, which may be long ago."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    name = topic_name(settings, COMMANDS_TOPIC)
    await admin.create_topics([NewTopic(name, COMMANDS_TOPIC.partitions, 1, topic_configs=configs)])
    await admin.close()
    with contextlib.suppress(MisconfiguredError):  # the topic that differs
        await ensure_topics(settings)


async def send(settings: Settings, records: Iterator[Record]) -> int:
    """Append the records to the commands' topic, in order. Returns how many.

    In small portions: a worker that runs meanwhile decides the partitions at about the same pace.
    """
    producer = await start_producer(settings, "history")
    try:
        count = 0
        while portion := list(islice(records, AT_ONCE)):
            sent = [
                await producer.send(
                    topic_name(settings, COMMANDS_TOPIC),
                    record.value,
                    record.key,
                    headers=record.headers,
                    timestamp_ms=int(record.at.timestamp() * 1000),
                )
                for record in portion
            ]
            await asyncio.gather(*sent)
            count += len(sent)
        return count
    finally:
        await producer.stop()
