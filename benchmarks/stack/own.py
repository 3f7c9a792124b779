"""A clinic started for a benchmark alone, where the running one cannot be paused or set differently."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.stack.scratch import free_port
from infra.errors import ClinicError
from infra.settings import Settings

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


@asynccontextmanager
async def own_stack(**settings: str) -> AsyncIterator[tuple[Settings, Path]]:
    """`clinic up` on a folder of its own, with these settings (`smtp_rate_per_s="1000"`); removed at the end.

    Raises:
        ClinicError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="clinic-bench-") as folder:
        where = ("--data", folder, "--port", str(free_port()))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ops.cli",
            "up",
            "--no-seed",
            *where,
            env={**os.environ, **{f"CLINIC_{name.upper()}": value for name, value in settings.items()}},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await _ready(process)
            yield Settings.load(Path(folder)), Path(folder)
        except TimeoutError:
            raise ClinicError("The benchmark's own clinic did not start in time.") from None
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()


async def _ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None, "its output is piped"
    while line := await process.stdout.readline():
        if line.strip() == b"ready":
            return
    raise ClinicError("The benchmark's own clinic ended while it started.")
