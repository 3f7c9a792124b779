"""Leftovers, logs and crashes of single processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from ops.embedded import Child
from ops.embedded import process as process_module
from ops.embedded import supervisor as supervisor_module
from ops.embedded.process import bound_log, reap_leftovers
from ops.embedded.supervisor import Supervisor

WAITS = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.fixture
def programs() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(programs: ExitStack, *arguments: str) -> subprocess.Popen[bytes]:
    program = programs.enter_context(subprocess.Popen([*WAITS, *arguments]))
    programs.callback(program.kill)
    return program


def pid_file(folder: Path, pid: int) -> Path:
    path = folder / "run" / "kafka.pid"
    path.write_text(f"{pid}\n")
    return path


def test_a_leftover_process_is_ended_and_waited_for(folder: Path, programs: ExitStack) -> None:
    leftover = start(programs, str(folder))
    path = pid_file(folder, leftover.pid)

    assert reap_leftovers(folder, [path]) == ["kafka"]

    assert not psutil.pid_exists(leftover.pid)
    assert not path.exists()


def test_a_frozen_leftover_process_is_killed(
    folder: Path, programs: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "LEFTOVER_STOP_TIMEOUT_S", 0.1)
    leftover = start(programs, str(folder))
    leftover.send_signal(signal.SIGSTOP)

    reap_leftovers(folder, [pid_file(folder, leftover.pid)])

    assert not psutil.pid_exists(leftover.pid)


def test_a_stale_pid_file_does_not_kill_another_process_with_the_pid(
    folder: Path, programs: ExitStack
) -> None:
    stranger = start(programs, "some other folder")
    path = pid_file(folder, stranger.pid)

    assert reap_leftovers(folder, [path]) == []

    assert stranger.poll() is None
    assert not path.exists()


def test_nor_a_process_that_happens_to_name_the_folder(folder: Path, programs: ExitStack) -> None:
    stranger = start(programs, str(folder))
    path = pid_file(folder, stranger.pid)
    before_it_was_born = psutil.Process(stranger.pid).create_time() - 60
    os.utime(path, (before_it_was_born, before_it_was_born))

    assert reap_leftovers(folder, [path]) == []

    assert stranger.poll() is None


@pytest.mark.parametrize("content", ["", "no number", "-1", "999999999"])
def test_an_invalid_pid_file_is_only_removed(folder: Path, content: str) -> None:
    path = folder / "run" / "kafka.pid"
    path.write_text(content)

    assert reap_leftovers(folder, [path, folder / "run" / "missing.pid"]) == []

    assert not path.exists()


def test_a_log_is_bounded_and_its_writer_continues(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "LOG_BYTES_MAX", 10)
    log = folder / "logs" / "kafka.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"more than ten bytes\n")
        bound_log(log)
        writer.write(b"new\n")

    assert log.read_bytes() == b"new\n"
    assert log.with_suffix(".log.1").read_bytes() == b"more than ten bytes\n"


async def test_a_crashed_child_is_restarted_after_growing_pauses(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_S_MIN", 0.01)
    said: list[str] = []
    supervisor = Supervisor(said.append)
    child = Child("worker-1", ["/bin/sh", "-c", "exit 3", folder], data_dir=folder)
    await child.start()
    supervisor.watch(child)

    async with asyncio.timeout(10):
        while len(said) < 6:  # noqa: ASYNC110 - the supervisor sets no event
            await asyncio.sleep(0.01)
    await supervisor.close()
    await child.stop()

    assert said[:6] == [
        line
        for delay in ("0.01", "0.02", "0.04")
        for line in (f"worker-1 stopped with status 3; starting it again in {delay} s", "worker-1 is back")
    ]
