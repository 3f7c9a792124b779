"""Clinics without an ingress: a database and topics per test, and histories in them."""

import contextlib
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from booking_worker.main import running_worker
from contracts.topics import COMMANDS_TOPIC, TOPICS
from infra import clock
from infra.kafka.connection import connection, topic_name
from infra.settings import Settings
from ops.replay.state_hash import BookHash, state_of
from storage.positions import Position, read_positions
from tests.clinic import database, records
from tests.replay.examples import booked, doctors_in_different_partitions, moved, opened, record_of
from tests.replay.history import History
from tests.replay.sending import make_topics, send
from tests.waiting import until_async

SETTLED_TIMEOUT_S = 120.0


@contextlib.asynccontextmanager
async def servers(settings: Settings, template: str) -> AsyncIterator[Settings]:
    """A database with the schema, and topics that keep their records' timestamps; no service runs."""
    async with database(settings, template) as own:
        named = own.model_copy(update={"namespace": f"t{clock.new_id().hex[:8]}."})
        await make_topics(named)
        yield named
        admin = AIOKafkaAdminClient(**connection(settings))
        await admin.start()
        await admin.delete_topics([topic_name(named, topic) for topic in TOPICS])
        await admin.close()


@contextlib.asynccontextmanager
async def copy_of(settings: Settings) -> AsyncIterator[Settings]:
    """A copy of the database, like a backup; the topics are shared. There must be no other connection."""
    name = settings.postgres_dsn.get_secret_value().rpartition("/")[2]
    async with database(settings, name) as copied:
        yield copied


async def state(settings: Settings) -> BookHash:
    """The book's contents."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        return await state_of(connection, topic_name(settings, COMMANDS_TOPIC))
    finally:
        await connection.close()


async def positions(settings: Settings) -> dict[int, Position]:
    """The position of each partition."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        return await read_positions(connection, topic_name(settings, COMMANDS_TOPIC))
    finally:
        await connection.close()


async def fetchval(settings: Settings, query: str, *arguments: Any) -> Any:
    """Query the database, as its owner."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def execute(settings: Settings, statement: str, *arguments: Any) -> None:
    """Execute a statement, as the database's owner."""
    await fetchval(settings, statement, *arguments)


async def settled(settings: Settings) -> None:
    """Waits until every record is decided, and every event published and counted."""
    ends: dict[int, int] = {}
    for record in await records(settings, COMMANDS_TOPIC):
        ends[record.partition] = record.offset + 1
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())

    async def done() -> bool:
        rows = await connection.fetch("SELECT * FROM booking.partition_progress")
        at = {row["partition"]: row["next_offset"] for row in rows}
        published = all(row["published_count"] == row["event_count"] for row in rows)
        return published and all(at.get(partition, 0) == end for partition, end in ends.items())

    try:
        await until_async(done, "all decided and published", SETTLED_TIMEOUT_S)
    finally:
        await connection.close()


async def decided(settings: Settings) -> None:
    """Run a worker until everything is decided."""
    async with running_worker(settings):
        await settled(settings)


@pytest.fixture
async def own(settings: Settings, template: str) -> AsyncIterator[Settings]:
    """A clinic per test, whose records keep their timestamps."""
    async with servers(settings, template) as own:
        yield own


class Seeded:
    """A decided history: its settings, and the seed that reproduces it."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed


@pytest.fixture(scope="session")
async def seeded(settings: Settings, template: str) -> AsyncIterator[Seeded]:
    """A clinic with a decided history of about 1,500 records, to read and to copy. There is no other
    connection.
    """
    seed = random.Random(clock.new_id().int).getrandbits(32)
    print(f"history {seed}")
    async with servers(settings, template) as own:
        async with running_worker(own):
            await _send_a_move(own)
            await send(own, History(seed, 1_500).records())
            await settled(own)
        yield Seeded(own, seed)


async def _send_a_move(settings: Settings) -> None:
    """From one partition to another: those of a history may all be refused, if bookings are decided later."""
    at = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=7)
    first, second = doctors_in_different_partitions()
    booking = booked(first, at + timedelta(days=1))
    move = moved(booking, second, booking.starts_at)
    for commands in ([*opened(first), *opened(second)], [booking], [move]):
        await send(settings, iter([record_of(command, at) for command in commands]))
        await settled(settings)
