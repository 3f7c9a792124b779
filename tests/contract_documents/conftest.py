"""A clinic with the demo data, and its documents."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from infra.settings import Settings
from ops.seed.demo import seed_demo
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic


@pytest.fixture(scope="package")
async def demo(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic with the data of `clinic seed demo`, on which the documents' examples work."""
    async with running_clinic(settings, template) as clinic:
        await seed_demo(clinic.settings, say=lambda _: None)
        yield clinic


@pytest.fixture(scope="package")
async def openapi(demo: Clinic) -> Any:
    """The OpenAPI document as clients receive it."""
    return (await demo.http.get("/openapi.json")).json()
