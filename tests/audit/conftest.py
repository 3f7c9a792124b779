"""A trail of the test's own."""

from collections.abc import AsyncIterator

import pytest

from infra.settings import Settings
from tests.audit.trail import Trail
from tests.audit.trail import trail as own_trail


@pytest.fixture
async def trail(settings: Settings, template: str) -> AsyncIterator[Trail]:
    """Topics without events, and no auditor yet."""
    async with own_trail(settings, template) as trail:
        yield trail
