"""Wait for the thing, never for a time. Every wait has a limit and says what it waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from infra.errors import ClinicError
from ops.probes import Probe

INTERVAL_S = 0.05


def until(true: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    """Return once `true()` is; fail after `timeout_s`, saying that `what` did not happen."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(INTERVAL_S)


async def until_async(true: Callable[[], Awaitable[bool]], what: str, timeout_s: float = 15.0) -> None:
    """The same for a question that has to be awaited."""
    deadline = time.monotonic() + timeout_s
    while not await true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(INTERVAL_S)


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
