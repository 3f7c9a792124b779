"""Clinics whose worker is a process or a part of the test."""

from collections.abc import AsyncIterator

import pytest

from infra.kafka.producer import start_producer
from infra.postgres import open_pool
from infra.settings import Settings
from tests.clinic import Clinic, database, namespace
from tests.clinic import clinic as running_clinic
from tests.delivery.probe import SCHEMA, Probe


@pytest.fixture
async def undecided(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic that accepts commands, without a worker to decide them."""
    async with running_clinic(settings, template, worker=False) as clinic:
        yield clinic


@pytest.fixture
async def probe(settings: Settings) -> AsyncIterator[Probe]:
    async with database(settings) as own, namespace(own) as own:
        pool = await open_pool(own.postgres_dsn.get_secret_value(), "probe", connections_max=14)
        await pool.execute(SCHEMA)
        producer = await start_producer(own, "probe")
        yield Probe(own, pool, producer)
        await producer.stop()
        await pool.close()
