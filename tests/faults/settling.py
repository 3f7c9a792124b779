"""Waiting after the faults until everything is decided and published."""

import asyncio
import contextlib
import time

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import connection, topic_name
from infra.postgres import OUTAGES
from infra.settings import Settings

INTERVAL_S = 0.5


async def settle(settings: Settings, timeout_s: float) -> list[str]:
    """Returns what is still undecided or unpublished after `timeout_s`; empty as soon as nothing is."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = ["the servers do not answer"]
        with contextlib.suppress(KafkaError, *OUTAGES):
            left = await _left(settings)
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(INTERVAL_S)


async def _left(settings: Settings) -> list[str]:
    ends = await _ends(settings)
    postgres = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        rows = await postgres.fetch("SELECT * FROM booking.partition_progress")
    finally:
        await postgres.close()
    progress = {row["partition"]: row for row in rows}
    left = []
    for partition, end in sorted(ends.items()):
        row = progress.get(partition)
        decided = row["next_offset"] if row else 0
        if decided < end:
            left.append(f"partition {partition} is decided up to {decided} of {end}")
        elif row and row["published_count"] < row["event_count"]:
            left.append(
                f"partition {partition} is published up to {row['published_count']} of {row['event_count']}"
            )
    return left


async def _ends(settings: Settings) -> dict[int, int]:
    topic = topic_name(settings, COMMANDS_TOPIC)
    consumer = AIOKafkaConsumer(**connection(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(
            [TopicPartition(topic, n) for n in range(COMMANDS_TOPIC.partitions)]
        )
    finally:
        await consumer.stop()
    return {topic_partition.partition: end for topic_partition, end in ends.items()}
