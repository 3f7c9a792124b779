"""An office for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.notify.channels.gateway import Gateway, running_gateway
from tests.notify.office import Office
from tests.notify.office import office as running_office


@pytest.fixture
async def office(settings: Settings, template: str, tmp_path: Path) -> AsyncIterator[Office]:
    """A database, topics and an SMTP server of the test's own; the notifier is left to the test."""
    async with running_office(settings, template, tmp_path) as office:
        yield office


@pytest.fixture
async def gateway(office: Office) -> AsyncIterator[Gateway]:
    """The gateway that text messages go to."""
    async with running_gateway(office) as gateway:
        yield gateway
