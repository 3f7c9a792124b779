"""A clinic whose storage keys are its own, so that a test can begin another epoch."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic


@pytest.fixture
async def own(settings: Settings, template: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    """A clinic with storage keys of its own."""
    storage = tmp_path / "storage"
    shutil.copytree(settings.storage_key_dir, storage)
    keys = {"storage_key_dir": storage}
    async with running_clinic(settings.model_copy(update=keys), template, worker=False) as clinic:
        yield clinic
