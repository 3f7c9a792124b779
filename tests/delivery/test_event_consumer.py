"""Whatever follows a topic takes each message once, in order, and stops rather than guesses."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.topics import EVENTS
from infra.event_consumer import EventConsumer, Received
from infra.kafka import start_producer, topic_name
from infra.metrics import PARTITION_STOPPED
from infra.postgres import Connection, open_pool
from infra.settings import Settings
from tests.clinic import database, namespace
from tests.waiting import until_async

SCHEMA = """
CREATE SCHEMA probe;
CREATE TABLE probe.progress (
    topic text, partition smallint, topic_id uuid NOT NULL, next_offset bigint NOT NULL,
    last_sequence bigint NOT NULL, PRIMARY KEY (topic, partition)
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
    """A consumer that writes down what it takes; it can be told to fail."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self.pool = pool
        self.producer = producer
        self.failures: list[Exception] = []

    async def apply(self, database: Connection, partition: int, received: list[Received[str]]) -> None:
        for one in received:
            await database.execute(
                "INSERT INTO probe.taken (partition, sequence, word) VALUES ($1, $2, $3)",
                *(partition, one.sequence, one.message),
            )
        if self.failures:
            raise self.failures.pop()

    @contextlib.asynccontextmanager
    async def running(self, **other: Any) -> AsyncIterator[None]:
        how: dict[str, Any] = {"decode": decode, "sequence_of": sequence_of, **other}
        consumer = EventConsumer(
            self.settings,
            EVENTS,
            self.pool,
            group="probe",
            schema="probe",
            apply=self.apply,
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
        """A message; bytes are sent as they are, and are not read for the reason `unread`."""
        value = word if isinstance(word, bytes) else json.dumps({"word": word}).encode()
        headers = [] if sequence is None else [("ce_sequence", str(sequence).encode())]
        headers += [] if unread is None else [("unread", unread.encode())]
        await self.producer.send_and_wait(
            topic_name(self.settings, EVENTS), value, key=b"k", partition=partition, headers=headers
        )

    async def taken(self, partition: int = 0) -> list[tuple[int, str]]:
        """Sequence and word of what was taken, in that order."""
        rows = await self.pool.fetch(
            "SELECT sequence, word FROM probe.taken WHERE partition = $1 ORDER BY id", partition
        )
        return [tuple(row) for row in rows]

    async def takes(self, *words: str, partition: int = 0) -> None:
        """Wait until exactly these words are taken, numbered from 1."""

        async def all_there() -> bool:
            return len(await self.taken(partition)) >= len(words)

        await until_async(all_there, f"{words} taken", 30)
        assert await self.taken(partition) == list(enumerate(words, 1))

    async def stops(self, partition: int = 0) -> None:
        """Wait until the partition has stopped."""
        gauge = PARTITION_STOPPED.labels(topic_name(self.settings, EVENTS), str(partition))

        async def stopped() -> bool:
            return bool(gauge._value.get())

        await until_async(stopped, "the partition stops", 30)


@pytest.fixture
async def probe(settings: Settings) -> AsyncIterator[Probe]:
    async with database(settings) as own, namespace(own) as own:
        pool = await open_pool(own.postgres_dsn.get_secret_value(), "probe", connections_max=14)
        await pool.execute(SCHEMA)
        producer = await start_producer(own, "probe")
        yield Probe(own, pool, producer)
        await producer.stop()
        await pool.close()


async def test_repeats_are_dropped_and_a_restart_goes_on_behind_the_position(probe: Probe) -> None:
    for sequence, word in ((1, "a"), (2, "b"), (1, "a"), (2, "b"), (3, "c")):
        await probe.send(sequence, word)
    async with probe.running():
        await probe.takes("a", "b", "c")
    await probe.send(3, "c")
    await probe.send(4, "d")
    await probe.send(1, "other", partition=7)
    async with probe.running():
        await probe.takes("a", "b", "c", "d")
        await probe.takes("other", partition=7)


async def test_what_is_no_event_is_passed_over(probe: Probe) -> None:
    await probe.send(1, "a")
    for garbage in (b"", b"\xff\xfe", b'{"word"'):
        await probe.send(None, garbage)
        await probe.send(77, garbage)
    await probe.send(2, "b")
    async with probe.running():
        await probe.takes("a", "b")


async def test_a_gap_stops_its_partition_behind_what_came_before(probe: Probe) -> None:
    for sequence, word in ((1, "a"), (2, "b"), (4, "d"), (5, "e")):
        await probe.send(sequence, word)
    await probe.send(1, "other", partition=1)
    async with probe.running():
        await probe.stops()
        await probe.takes("a", "b")
        await probe.takes("other", partition=1)
        await probe.send(2, "goes on", partition=1)
        await probe.takes("other", "goes on", partition=1)
    assert await probe.pool.fetchval("SELECT next_offset FROM probe.progress WHERE partition = 0") == 2


async def test_an_event_of_a_newer_version_stops_its_partition(probe: Probe) -> None:
    await probe.send(1, "a")
    await probe.send(2, b'{"words": ["b"]}')
    await probe.send(3, "c")
    async with probe.running():
        await probe.stops()
        await probe.takes("a")


async def test_without_sequences_a_message_that_cannot_be_read_stops_its_partition(probe: Probe) -> None:
    reasons = ("unknown_type", "invalid_data", "wrong_key")
    for partition, reason in enumerate(reasons):
        await probe.send(None, "a", partition)
        await probe.send(None, b'{"newer": "b"}', partition, unread=reason)
        await probe.send(None, "c", partition)
    async with probe.running(sequence_of=None):
        for partition in range(len(reasons)):
            await probe.stops(partition)
            await probe.takes("a", partition=partition)

    def newer(record: ConsumerRecord) -> str:
        value = json.loads(record.value)
        return str(value.get("newer") or value["word"])

    async with probe.running(sequence_of=None, decode=newer):
        for partition in range(len(reasons)):
            await probe.takes("a", "b", "c", partition=partition)


async def test_without_sequences_what_is_no_message_of_ours_is_passed_over(probe: Probe) -> None:
    await probe.send(None, "a")
    for reason in ("no_envelope", "bad_header"):
        await probe.send(None, b"garbage", unread=reason)
    await probe.send(None, "b")
    async with probe.running(sequence_of=None):
        await probe.takes("a", "b")


async def test_on_an_expiring_topic_nothing_that_cannot_be_read_stops(probe: Probe) -> None:
    await probe.send(None, "a")
    for reason in DeadLetterReason:
        await probe.send(None, b"garbage", unread=reason)
    await probe.send(None, "b")
    async with probe.running(sequence_of=None, expiring=True):
        await probe.takes("a", "b")


async def test_an_outage_is_waited_out_and_a_bug_stops(probe: Probe) -> None:
    await probe.send(1, "a")
    probe.failures = [ConnectionError("away"), OSError("away"), TimeoutError()] * 2
    async with probe.running():
        await probe.takes("a")
    assert not probe.failures
    await probe.send(2, "b")
    probe.failures = [ZeroDivisionError("a bug")] * 5
    async with probe.running():
        await probe.stops()
        await probe.takes("a")
    assert len(probe.failures) == 2, "three tries"


async def test_two_who_both_consume_take_each_once(probe: Probe) -> None:
    words = [f"word {number}" for number in range(300)]
    async with probe.running(), probe.running():
        for sequence, word in enumerate(words, 1):
            await probe.send(sequence, word)
        await probe.takes(*words)


async def test_another_topic_of_the_same_name_stops(probe: Probe) -> None:
    await probe.send(1, "a")
    async with probe.running():
        await probe.takes("a")
    await probe.pool.execute("UPDATE probe.progress SET topic_id = gen_random_uuid()")
    await probe.send(2, "b")
    async with probe.running():
        await probe.stops()
    assert await probe.taken() == [(1, "a")]
