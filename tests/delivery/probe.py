"""A consumer of events that records its messages."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer, ConsumerRecord

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.topics import EVENTS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.event_consumer import EventConsumer, ReceivedMessage
from infra.metrics import PARTITION_STOPPED
from infra.postgres import Connection
from infra.service import Service
from infra.settings import Settings
from tests.waiting import until_async

SCHEMA = """
CREATE SCHEMA probe;
CREATE TABLE probe.progress (
    topic text, partition smallint, topic_id uuid NOT NULL, next_offset bigint NOT NULL,
    last_sequence bigint NOT NULL, paused_at timestamptz, skips bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (topic, partition)
);
CREATE TABLE probe.taken (id bigserial, partition smallint, sequence bigint, word text);
"""


def decode(record: ConsumerRecord) -> str:
    try:
        return str(json.loads(record.value)["word"])
    except (ValueError, KeyError, TypeError):
        reason = dict(record.headers).get("unread", b"invalid_data").decode()
        raise UndecodableError(DeadLetterReason(reason), "no word") from None


def sequence_of(record: ConsumerRecord) -> int | None:
    value = dict(record.headers).get("ce_sequence", b"")
    return int(value) if value.isdigit() else None


class Probe:
    """A consumer that records its messages and can be made to fail."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self.pool = pool
        self.producer = producer
        self.failures: list[Exception] = []
        self.at_once_max = 1_000

    async def apply(self, database: Connection, partition: int, received: list[ReceivedMessage[str]]) -> None:
        if len(received) > self.at_once_max:
            raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")
        for message in received:
            await database.execute(
                "INSERT INTO probe.taken (partition, sequence, word) VALUES ($1, $2, $3)",
                partition,
                message.sequence,
                message.message,
            )
        if self.failures:
            raise self.failures.pop()

    @contextlib.asynccontextmanager
    async def running(self, **other: Any) -> AsyncIterator[None]:
        how: dict[str, Any] = {"decode": decode, "sequence_of": sequence_of, **other}
        consumer = EventConsumer(
            self.settings,
            EVENTS_TOPIC,
            self.pool,
            group="probe",
            schema="probe",
            apply=self.apply,
            service=Service(),
            **how,
        )
        task = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def send(
        self, sequence: int | None, word: str | bytes, partition: int = 0, unread: str | None = None
    ) -> None:
        """Send a message; bytes are sent unchanged, as an unreadable message for the reason `unread`."""
        value = word if isinstance(word, bytes) else json.dumps({"word": word}).encode()
        headers = [] if sequence is None else [("ce_sequence", str(sequence).encode())]
        headers += [] if unread is None else [("unread", unread.encode())]
        await self.producer.send_and_wait(
            topic_name(self.settings, EVENTS_TOPIC), value, key=b"k", partition=partition, headers=headers
        )

    async def taken(self, partition: int = 0) -> list[tuple[int, str]]:
        """Sequence and text of the recorded messages, in order."""
        rows = await self.pool.fetch(
            "SELECT sequence, word FROM probe.taken WHERE partition = $1 ORDER BY id", partition
        )
        return [tuple(row) for row in rows]

    async def takes(self, *words: str, partition: int = 0) -> None:
        """Waits until exactly these messages are recorded, numbered from 1."""

        async def all_there() -> bool:
            return len(await self.taken(partition)) >= len(words)

        await until_async(all_there, f"{words} taken", 30)
        assert await self.taken(partition) == list(enumerate(words, 1))

    async def stops(self, partition: int = 0) -> None:
        """Waits until the partition has stopped."""
        gauge = PARTITION_STOPPED.labels(topic_name(self.settings, EVENTS_TOPIC), str(partition))

        async def stopped() -> bool:
            return bool(gauge._value.get())

        await until_async(stopped, "the partition stops", 30)
