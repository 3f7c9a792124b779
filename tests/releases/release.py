"""Services of the last release: its sources from the repository's history, in the same environment."""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from infra.settings import Settings
from ops import probes
from ops.embedded import Child
from ops.migrate import migrate
from tests.processes import environment

ROOT = Path(__file__).parents[2]
SETTINGS = "from infra.settings import Settings; settings = Settings()"
COMMIT = (Path(__file__).parent / "last_release.txt").read_text().strip()


def export_last_release(folder: Path) -> Path:
    """The folder, with the sources of the last release. Skips where the history lacks its commit."""
    git = ("git", "-C", str(ROOT))
    known = subprocess.run([*git, "cat-file", "-e", f"{COMMIT}^{{commit}}"], capture_output=True)
    if known.returncode:
        pytest.skip(f"the last release, commit {COMMIT}, is not in this copy's history")
    archive = subprocess.run([*git, "archive", COMMIT], capture_output=True, check=True).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def variables(sources: Path, settings: Settings, name: str) -> Mapping[str, str]:
    """The environment of a service that runs from these sources, whatever is installed."""
    return {**environment(settings), "CLINIC_INSTANCE": name, "PYTHONPATH": str(sources)}


def service_of(sources: Path, kind: str, directory: Path, settings: Settings, release: str) -> Child:
    """`clinic run <kind>` from these sources, not started yet; an ingress that started answers."""
    for folder in ("run", "logs"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{release}"
    # -P: the folder that the tests run in must not come first.
    argv = [sys.executable, "-P", "-m", "ops.cli", "run", kind, "--data", str(directory)]
    probe = partial(probes.ingress, settings.url) if kind == "ingress" else None
    return Child(name, argv, data_dir=directory, env=variables(sources, settings, name), probe=probe)


def run_in(sources: Path, settings: Settings, code: str) -> None:
    """Run a few lines of Python on these sources."""
    argv = [sys.executable, "-P", "-c", code]
    env = {**os.environ, **variables(sources, settings, "script")}
    done = subprocess.run(argv, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def upgrade(sources: Path, settings: Settings, email: str) -> None:
    """Bring an empty database to today's schema as an upgrade does: the last release had a patient in it."""
    run_in(sources, settings, f"{SETTINGS}; from ops.migrate import migrate; migrate(settings)")
    run_in(
        sources,
        settings,
        f"{SETTINGS}; import asyncio; from ops.tokens import register_patients;"
        f" asyncio.run(register_patients(settings, [{email!r}]))",
    )
    migrate(settings)


def runs_from(sources: Path, settings: Settings) -> Path:
    """The folder that a service with these variables imports its code from."""
    argv = [sys.executable, "-P", "-c", "import contracts, os; print(os.path.dirname(contracts.__path__[0]))"]
    env = {**os.environ, **variables(sources, settings, "check")}
    return Path(subprocess.run(argv, env=env, capture_output=True, check=True, text=True).stdout.strip())
