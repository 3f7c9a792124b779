"""The servers that the tests run on: `--stack=embedded` (the default), `containers` or `settings`.

Whichever it is, the fixture `settings` is the same thing: the addresses of a Kafka, a Postgres and a Valkey.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog

from infra.settings import Settings
from ops.embedded import EmbeddedStack
from ops.migrate import migrate
from tests.clinic import Clinic, database
from tests.clinic import clinic as running_clinic

if TYPE_CHECKING:
    from playwright.async_api import Browser

# Property tests are judged by what they find, not by the machine's speed: the first run on a fresh clone
# builds hypothesis' Unicode tables, which takes longer than its health check and its deadline allow.
hypothesis.settings.register_profile(
    "clinic", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("clinic")
# Services inside the tests' process log in plain lines: drawing a traceback with its variables takes seconds.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ]
)

# Where a database is cloned in a fifth of the time. The fault machine's servers stay on the disk.
MEMORY = Path("/dev/shm")
MEMORY_WANTED = 8 * 2**30


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """`-n logical`: one for each core; `-n auto`: half as many again, as tests on servers often wait."""
    cores = os.cpu_count() or 1
    return cores if config.option.numprocesses == "logical" else cores + cores // 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("embedded", "containers", "settings"),
        default="embedded",
        help="the servers to test on: embedded (default), official images, or those named by CLINIC_…",
    )
    parser.addoption(
        "--fuzz-seconds",
        type=float,
        default=0.0,
        help="how long each test of chance input goes on; 0 (default): for a few, always the same",
    )


@pytest.fixture(autouse=True)
def _logging_stays() -> Iterator[None]:
    """A command that silences the logs (`ops.connections.quiet`) does so for its own test only."""
    configuration = structlog.get_config()
    yield
    structlog.configure(**configuration)


@pytest.fixture
def fuzz_seconds(request: pytest.FixtureRequest) -> float:
    """How long to go on with chance input; 0: for a few examples, always the same."""
    seconds: float = request.config.getoption("--fuzz-seconds")
    return seconds


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> Settings:
    """The addresses and credentials of the servers under test, started when first asked for."""
    source: Settings = request.getfixturevalue(f"_{request.config.getoption('--stack')}_settings")
    return source


@pytest.fixture(scope="session")
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[EmbeddedStack]:
    """The embedded stack, booted once; for tests that stop or kill a server; others take `settings`.

    Whoever stops or kills a server starts it again.
    """
    if request.config.getoption("--stack") != "embedded":
        pytest.skip("stops and kills servers, which only the embedded stack allows")
    with tempfile.TemporaryDirectory(dir=_in_memory()) as folder:
        async with EmbeddedStack(Path(folder)) as stack:
            yield stack


def _in_memory() -> Path | None:
    room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_WANTED
    return MEMORY if room else None


@pytest.fixture(scope="session")
async def template(settings: Settings) -> AsyncIterator[str]:
    """The name of a database with the schema and no rows, to be cloned."""
    async with database(settings) as migrated:
        await asyncio.to_thread(migrate, migrated)
        yield migrated.postgres_dsn.get_secret_value().rpartition("/")[2]


@pytest.fixture
async def clinic(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A running clinic per test."""
    async with running_clinic(settings, template) as clinic:
        yield clinic


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """Chromium, without a window. Skipped where there is none (Debian: `apt install chromium`)."""
    from playwright.async_api import async_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    # As root Chromium starts only without its sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def _embedded_settings(stack: EmbeddedStack) -> Settings:
    return stack.settings


@pytest.fixture(scope="session")
async def _containers_settings(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    from tests.containers import container_stack

    async with container_stack(tmp_path_factory.mktemp("stack")) as settings:
        yield settings


@pytest.fixture(scope="session")
def _settings_settings() -> Settings:
    return Settings()
