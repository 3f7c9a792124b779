"""A namespace and a database per test, and the `clinic` command with their settings."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from infra import clock
from infra.settings import Settings
from ops.migrate import migrate
from tests.clinic import database
from tests.processes import environment

COMMAND_TIMEOUT_S = 60.0


@pytest.fixture
def own(settings: Settings) -> Settings:
    """Settings with topics of the test's own."""
    return settings.model_copy(update={"namespace": f"t{clock.new_id().hex[:8]}."})


@pytest.fixture
async def unmigrated(settings: Settings) -> AsyncIterator[Settings]:
    """Settings of an empty database."""
    async with database(settings) as unmigrated:
        yield unmigrated


@pytest.fixture(scope="session")
async def migrated(settings: Settings) -> AsyncIterator[Settings]:
    """Settings of a database with the schema, and no services on it."""
    async with database(settings) as migrated:
        await asyncio.to_thread(migrate, migrated)
        yield migrated


def clinic_command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the `clinic` command on these settings, as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        env={**os.environ, **environment(settings)},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
    )
