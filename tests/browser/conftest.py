"""A clinic for the pages, which Chromium (the fixture `browser`) shows."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic

CLINIC = {
    "name": "Praxis am Alexanderplatz",
    "phone": "+49 30 555 0100",
    "address": "Karl-Liebknecht-Straße 13, 10178 Berlin",
}


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic for all tests of a module."""
    async with running_clinic(settings.model_copy(update=CLINIC), template) as clinic:
        yield clinic
