"""Wait for the thing, never for a time. Every wait has a limit and says what it waited for."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

from infra.errors import ClinicError
from ops.probes import Probe

INTERVAL_S = 0.05


def until(true: Callable[[], bool], awaited: str, timeout_s: float = 15.0) -> None:
    """Return once `true()` is; fail after `timeout_s`, saying what was `awaited`."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {awaited}"
        time.sleep(INTERVAL_S)


async def until_async(true: Callable[[], Awaitable[bool]], awaited: str, timeout_s: float = 15.0) -> None:
    """The same for a question that has to be awaited."""
    deadline = time.monotonic() + timeout_s
    while not await true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {awaited}"
        await asyncio.sleep(INTERVAL_S)


@contextlib.asynccontextmanager
async def beside(job: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run the job while inside."""
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_answers(probe: Probe, timeout_s: float) -> None:
    """Return once the probe does; its last error after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            await probe()
        except (OSError, TimeoutError, ClinicError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(INTERVAL_S)
        else:
            return
