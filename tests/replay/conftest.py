"""Clinics without an ingress: a database and topics of a test's own, and histories in them."""

import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from booking_worker.main import running_worker
from contracts.topics import COMMANDS, TOPICS
from infra import clock
from infra.kafka import connection, topic_name
from infra.settings import Settings
from ops.replay.state_hash import State, state_of
from tests.clinic import database, records
from tests.replay.history import History
from tests.replay.sending import make_topics, send
from tests.waiting import until_async

SETTLED_TIMEOUT_S = 120.0


@contextlib.asynccontextmanager
async def servers(settings: Settings, template: str) -> AsyncIterator[Settings]:
    """A database with the schema, and topics whose records keep their times; no service runs."""
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
    """A copy of the database, as a backup is; the topics are the same. Nobody may be connected."""
    name = settings.postgres_dsn.get_secret_value().rpartition("/")[2]
    async with database(settings, name) as copied:
        yield copied


async def state(settings: Settings) -> State:
    """What the book holds."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        return await state_of(connection, topic_name(settings, COMMANDS))
    finally:
        await connection.close()


async def fetchval(settings: Settings, query: str, *arguments: Any) -> Any:
    """A question to the database, as its owner."""
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def execute(settings: Settings, statement: str, *arguments: Any) -> None:
    """A change to the database, as its owner."""
    await fetchval(settings, statement, *arguments)


async def settled(settings: Settings) -> None:
    """Return once every record is decided, and every event published and counted."""
    ends: dict[int, int] = {}
    for record in await records(settings, COMMANDS):
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
    """Let a worker decide everything, and stop it."""
    async with running_worker(settings):
        await settled(settings)


@pytest.fixture
async def own(settings: Settings, template: str) -> AsyncIterator[Settings]:
    """A clinic of the test's own, whose records keep the times they come with."""
    async with servers(settings, template) as own:
        yield own


class Told:
    """A history that was decided: its settings, and what makes it the same again."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed


@pytest.fixture(scope="session")
async def told(settings: Settings, template: str) -> AsyncIterator[Told]:
    """A clinic with a decided history of some 1,500 records, to look at and to copy. Nobody is connected."""
    seed = random.Random(clock.new_id().int).getrandbits(32)
    print(f"history {seed}")
    async with servers(settings, template) as own:
        async with running_worker(own):
            await send(own, History(seed, 1_500).records())
            await settled(own)
        yield Told(own, seed)
