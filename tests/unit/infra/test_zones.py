"""Zones come from the locked `tzdata` package, whatever the machine has or its environment names."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from infra.errors import MisconfiguredError
from infra.settings import Settings
from infra.zones import zone_data_version

PRODUCT = Path(__file__).parents[3]
# Imported first by a process, as it starts.
ENTRY_POINTS = [
    "ops.cli",
    "ops.up",
    "ingress.main",
    "booking_worker.main",
    "auditor.main",
    "notifier.main",
    "ops.embedded",
    "ops.migrate",
]
VANCOUVER = """
import {module}
from datetime import datetime
from zoneinfo import ZoneInfo
from contracts.fields import _TIME_ZONES
at = datetime(2026, 12, 15, 9, tzinfo=ZoneInfo("America/Vancouver"))
print(at.isoformat(), "Nowhere/Here" in _TIME_ZONES)
"""


@pytest.fixture
def other_data(tmp_path: Path) -> Path:
    """A folder of zone data in which Vancouver has the clocks of Tokyo, with an additional zone."""
    tokyo = files("tzdata.zoneinfo").joinpath("Asia/Tokyo").read_bytes()
    for name in ("America/Vancouver", "Nowhere/Here"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tokyo)
    return tmp_path


def says(statements: str, other_data: Path) -> str:
    """The output of a fresh interpreter whose zone path is the folder."""
    done = subprocess.run(
        [sys.executable, "-c", statements],
        env={**os.environ, "PYTHONTZPATH": str(other_data)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_bare_interpreter_uses_the_other_data(other_data: Path) -> None:
    assert says(VANCOUVER.format(module="sys"), other_data).startswith("2026-12-15T09:00:00+09:00")


@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_every_process_uses_the_locked_data(module: str, other_data: Path) -> None:
    assert says(VANCOUVER.format(module=module), other_data) == "2026-12-15T09:00:00-07:00 False"


def test_a_zone_that_was_loaded_before_is_loaded_again(other_data: Path) -> None:
    before = "from zoneinfo import ZoneInfo\nZoneInfo('America/Vancouver')\n"
    assert says(before + VANCOUVER.format(module="ops.cli"), other_data).startswith(
        "2026-12-15T09:00:00-07:00"
    )


def test_the_version_is_that_of_the_package() -> None:
    assert zone_data_version() == version("tzdata")
    assert datetime(2026, 12, 15, 16, tzinfo=UTC).astimezone(ZoneInfo("America/Vancouver")).hour == 9
    assert "localtime" not in available_timezones()


@pytest.mark.parametrize("zone", ["localtime", "Factory", "Europe", ""])
def test_a_clinics_zone_has_to_exist(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("CLINIC_TIME_ZONE", zone)

    with pytest.raises(MisconfiguredError, match=r"^CLINIC_TIME_ZONE: An IANA time zone is needed"):
        Settings.load()


def test_postgres_is_asked_about_no_zone_but_utc() -> None:
    """Postgres has zone data of its own: no statement depends on it."""
    folders = ("auditor", "booking_worker", "infra", "ingress", "migrations", "notifier", "ops", "storage")
    paths = [
        path for folder in folders for kind in ("*.py", "*.sql") for path in (PRODUCT / folder).rglob(kind)
    ]
    named = [
        (path.name, zone)
        for path in paths
        for zone in re.findall(r"AT TIME ZONE\s+(\S{1,5})", path.read_text(), re.IGNORECASE)
    ]
    assert named
    assert {zone for _, zone in named} == {"'UTC'"}
