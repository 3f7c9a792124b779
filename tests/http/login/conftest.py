"""A clinic for tests that log in often, all from one network."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic

MANY = 1_000_000


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic for all tests of a module."""
    limits = {
        "login_challenges_per_network_hour": MANY,
        "login_failures_per_network_hour": MANY,
    }
    async with running_clinic(settings.model_copy(update=limits), template) as clinic:
        yield clinic
