"""A service in its own process, for as long as a benchmark needs it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

from benchmarks.stack.scratch import environment
from infra.settings import Settings

STOP_TIMEOUT_S = 10.0


@contextlib.asynccontextmanager
async def service_process(
    kind: str, settings: Settings, *, stdout: int = asyncio.subprocess.DEVNULL, stderr: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The service while inside: stopped at the end, or killed if it does not stop in time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops.cli",
        "run",
        kind,
        env={**os.environ, **environment(settings)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
