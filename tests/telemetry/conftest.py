"""An office whose notifiers tests start themselves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.notify.office import Office
from tests.notify.office import office as running_office


@pytest.fixture
async def office(settings: Settings, template: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with running_office(settings, template, tmp_path) as office:
        await office.doctor()
        yield office
