"""A real Chromium on a running clinic. Skipped where there is none (Debian: `apt install chromium`)."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from infra.settings import Settings
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic

CLINIC = {
    "name": "Praxis am Alexanderplatz",
    "phone": "+49 30 555 0100",
    "address": "Karl-Liebknecht-Straße 13, 10178 Berlin",
}


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    # As root Chromium starts only without its sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
async def shared(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic for all tests of a module."""
    async with running_clinic(settings.model_copy(update=CLINIC), template) as clinic:
        yield clinic
