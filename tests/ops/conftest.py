"""A namespace and a database of a test's own, and the `clinic` command on them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from pydantic import SecretStr

from infra import clock
from infra.settings import Settings
from ops.migrate import migrate

COMMAND_TIMEOUT_S = 60.0


@pytest.fixture
def own(settings: Settings) -> Settings:
    """Settings whose topics nobody else has."""
    return settings.model_copy(update={"namespace": f"t{clock.new_id().hex[:8]}."})


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Settings]:
    name = f"t{clock.new_id().hex[:8]}"
    owner = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    await owner.execute(f"CREATE DATABASE {name}")

    def here(dsn: str) -> SecretStr:
        return SecretStr(f"{dsn.rpartition('/')[0]}/{name}")

    yield settings.model_copy(
        update={
            "postgres_dsn": here(settings.postgres_dsn.get_secret_value()),
            "postgres_dsn_ingress": here(settings.ingress_dsn),
            "postgres_dsn_worker": here(settings.worker_dsn),
        }
    )
    await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await owner.close()


@pytest.fixture
async def unmigrated(settings: Settings) -> AsyncIterator[Settings]:
    """Settings of an empty database."""
    async with _database(settings) as unmigrated:
        yield unmigrated


@pytest.fixture(scope="session")
async def migrated(settings: Settings) -> AsyncIterator[Settings]:
    """Settings of a database with the schema, and no services on it."""
    async with _database(settings) as migrated:
        await asyncio.to_thread(migrate, migrated)
        yield migrated


def clinic_command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the `clinic` command on these settings, as an operator does."""
    environment = {}
    for name, value in settings:
        if value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            environment[f"CLINIC_{name.upper()}"] = text
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
    )
