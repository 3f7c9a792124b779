"""Backups that are not whole: none is taken for one, and none costs the database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.compose.backup import FILES
from ops.compose.docker import ROOT


class Server:
    """A folder with a `docker` that notes each call, and fails at the calls that hold a word."""

    def __init__(self, folder: Path, failing: str) -> None:
        self.calls = folder / "calls"
        docker = folder / "docker"
        docker.write_text(
            f'#!/bin/sh\necho "$*" >> {self.calls}\ncase "$*" in *"{failing}"*) exit 1; esac\necho copier\n'
        )
        docker.chmod(0o755)
        self._path = f"{folder}:{os.environ['PATH']}"

    def operate(self, *arguments: str | Path) -> tuple[int, str]:
        """Status and complaints of `python3 -m ops.compose`."""
        process = subprocess.run(
            [sys.executable, "-m", "ops.compose", *map(str, arguments)],
            cwd=ROOT,
            env={"PATH": self._path},
            capture_output=True,
            text=True,
        )
        return process.returncode, process.stderr


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path, failing="pg_dump ")


@pytest.mark.parametrize("missing", FILES)
def test_what_is_no_whole_backup_is_not_restored(missing: str, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "monday"
    folder.mkdir()
    for name in set(FILES) - {missing}:
        (folder / name).touch()

    assert server.operate("restore", folder) == (1, f"{folder / missing}: No backup is without it.\n")
    assert not server.calls.exists(), "nothing was stopped, and no database dropped"


def test_a_backup_that_fails_does_not_bear_its_name(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "monday"

    status, complaint = server.operate("backup", folder)

    assert (status, "pg_dump" in complaint) == (1, True)
    assert not folder.exists()


def test_a_whole_one_does_and_is_not_written_over(tmp_path: Path) -> None:
    server, folder = Server(tmp_path, failing="nothing"), tmp_path / "backups" / "monday"

    assert server.operate("backup", folder) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["monday"]
    assert server.operate("backup", folder) == (1, f"{folder}: A backup needs a new folder.\n")
