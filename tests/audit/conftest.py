"""A trail of the test's own."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.audit.trail import Trail, connected
from tests.clinic import database, namespace


@pytest.fixture
async def trail(settings: Settings, template: str) -> AsyncIterator[Trail]:
    """Topics without events, an empty trail, and no auditor yet."""
    async with database(settings, template) as own, namespace(own) as there, connected(there) as trail:
        yield trail


@pytest.fixture(scope="module")
async def original(settings: Settings, template: str) -> AsyncIterator[Settings]:
    """A trail of fifty entries on partition 0 with heads at 20, at 40 and perhaps more; to be cloned."""
    async with database(settings, template) as own, namespace(own) as there:
        async with connected(there) as trail:
            await trail.kept(50, audit_head_entries=20)
        yield there


@pytest.fixture
async def kept(original: Settings) -> AsyncIterator[Trail]:
    """A clone of it, to be tampered with."""
    name = original.postgres_dsn.get_secret_value().rpartition("/")[2]
    async with database(original, name) as own, connected(own) as trail:
        yield trail
