"""An audit trail per test."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.audit.trail import Trail, connected
from tests.clinic import database, namespace


@pytest.fixture
async def trail(settings: Settings, template: str) -> AsyncIterator[Trail]:
    """Topics without events, an empty trail, and no auditor running."""
    async with database(settings, template) as own, namespace(own) as named, connected(named) as trail:
        yield trail


@pytest.fixture(scope="module")
async def original(settings: Settings, template: str) -> AsyncIterator[Settings]:
    """A trail of fifty entries on partition 0 with heads at 20, at 40 and perhaps more; to be cloned."""
    async with database(settings, template) as own, namespace(own) as named:
        async with connected(named) as trail:
            await trail.kept(50, audit_head_entries=20)
        yield named


@pytest.fixture
async def kept(original: Settings) -> AsyncIterator[Trail]:
    """A clone of it, to tamper with."""
    name = original.postgres_dsn.get_secret_value().rpartition("/")[2]
    async with database(original, name) as own, connected(own) as trail:
        yield trail
