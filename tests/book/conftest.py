"""One clinic for all examples: each makes its own doctors and patients."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic for all examples."""
    async with running_clinic(settings, template) as clinic:
        yield clinic
