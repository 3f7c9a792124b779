"""Clinics whose worker is a process, or the test itself."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic


@pytest.fixture
async def undecided(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic that accepts commands, with nobody to decide them yet."""
    async with running_clinic(settings, template, worker=False) as clinic:
        yield clinic
