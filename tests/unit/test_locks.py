"""The locks pin every package by hash, agree with each other and name no host (docs/decisions/0002)."""

import re
from pathlib import Path

import pytest

from ops.embedded import jars

LOCKS = Path(__file__).parents[2] / "locks"
NAMES = ("bootstrap", "dev", "embedded", "load", "security", "server")


def pins(name: str) -> dict[str, str]:
    """Version and marker by package, from the lines that do not belong to another one."""
    lines = (LOCKS / f"{name}.lock").read_text().splitlines()
    return dict(line.rstrip(" \\").split("==", 1) for line in lines if re.match(r"[a-z0-9]", line))


@pytest.mark.parametrize("name", NAMES)
def test_every_package_has_a_hash(name: str) -> None:
    packages = re.split(r"\n(?=[a-z0-9])", (LOCKS / f"{name}.lock").read_text())
    assert {package.partition("==")[0] for package in packages} == set(pins(name))
    assert [package for package in packages if "--hash=sha256:" not in package] == []


@pytest.mark.parametrize("path", [*LOCKS.glob("*.lock"), jars.SPEC, jars.LOCK], ids=lambda path: path.name)
def test_no_host_is_named(path: Path) -> None:
    assert "://" not in path.read_text()


@pytest.mark.parametrize("name", ["embedded", "load", "server"])
def test_the_tested_versions_are_those_that_run(name: str) -> None:
    tested = {package: pin.split(" ;")[0] for package, pin in pins("dev").items()}
    runs = {package: pin.split(" ;")[0] for package, pin in pins(name).items()}
    assert runs.items() <= tested.items()


def test_every_jar_has_a_hash() -> None:
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars.locked())
    assert jars.kafka_version() == "4.4.0"
