"""One server for all tests here, in their order: it is started, broken, upgraded, backed up and restored."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.server import Server


def _why_not() -> str | None:
    if os.geteuid() != 0:
        return "containers are killed from outside, which takes root"
    for command in (["docker", "version"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return "docker is not installed"
        if done.returncode != 0:
            return f"`{' '.join(command)}` says: {done.stderr.strip()}"
    return None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The running server."""
    if why := _why_not():
        pytest.skip(f"needs a Docker engine: {why}")
    server = Server(Path(tmp_path_factory.mktemp("server")))
    try:
        server.start()
        yield server
    finally:
        server.remove()
