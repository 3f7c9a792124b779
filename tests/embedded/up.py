"""`clinic up` as a process of its own, and the operator's commands."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.waiting import until

CLINIC = [sys.executable, "-m", "ops.cli"]
START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 15.0


class Up:
    """A running `clinic up`; its output goes to a file."""

    def __init__(self, data_dir: Path, port: int, *options: str) -> None:
        self.data_dir = data_dir
        self.output_path = data_dir.with_name(f"{data_dir.name}.out")
        with self.output_path.open("wb") as output:
            self.popen = subprocess.Popen(
                [*CLINIC, "up", "--no-seed", "--data", data_dir, "--port", str(port), *options],
                env={
                    **os.environ,
                    "CLINIC_POSTGRES_DSN": "postgresql://postgres:of-another-clinic@127.0.0.1/",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, line: str) -> None:
        """Waits until the line was printed; fails at once if the program ends."""

        def printed() -> bool:
            lines = self.output_path.read_text().splitlines()
            assert line in lines or self.popen.poll() is None, lines
            return line in lines

        until(printed, f"{line!r} in {self.output_path}", START_TIMEOUT_S)

    def processes(self) -> dict[str, psutil.Process]:
        """The processes that the pid files name."""
        return {path.stem: psutil.Process(int(path.read_text())) for path in self.data_dir.glob("run/*.pid")}


@contextmanager
def running(data_dir: Path, port: int, *options: str) -> Iterator[Up]:
    """A `clinic up` that is ready; stopped at the end."""
    up = Up(data_dir, port, *options)
    try:
        up.wait_for("ready")
        yield up
    finally:
        up.popen.terminate()
        up.popen.wait(timeout=STOP_TIMEOUT_S)


def clinic(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does."""
    return subprocess.run([*CLINIC, *arguments], capture_output=True, text=True, timeout=START_TIMEOUT_S)
