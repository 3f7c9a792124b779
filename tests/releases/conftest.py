"""The sources of both releases, and a database that was upgraded from the last one to this one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.clinic import database
from tests.releases.release import ROOT, export_last_release, runs_from, upgrade
from tests.releases.services import NEW, OLD, Sources

Upgraded = tuple[Settings, str]
KNOWN = "registered.by.the.last.release@example.org"


@pytest.fixture(scope="session")
def sources(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """The folder of each release's sources."""
    sources = {OLD: export_last_release(tmp_path_factory.mktemp("last") / "release"), NEW: ROOT}
    for release, path in sources.items():
        assert runs_from(path, settings) == path, release
    return sources


@pytest.fixture
async def upgraded(settings: Settings, sources: Sources, tmp_path: Path) -> AsyncIterator[Upgraded]:
    """The settings and the name of a database to be cloned, in which the last release registered `KNOWN`."""
    # No rotation before all services are new.
    settings = settings.model_copy(update={"storage_key_dir": tmp_path / "storage"})
    async with database(settings) as own:
        await asyncio.to_thread(upgrade, sources[OLD], own, KNOWN)
        yield settings, own.postgres_dsn.get_secret_value().rpartition("/")[2]
