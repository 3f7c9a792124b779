"""Restarts crashed processes with exponential backoff, and reports that."""

import asyncio
from collections.abc import Callable

from infra import clock
from infra.errors import ClinicError
from ops.embedded.process import Child, bound_log

BACKOFF_S_MIN = 0.1
# A process that is killed repeatedly still works again within ten seconds (I10). A worker is back before its
# session ends (6 s), so that its partitions need not be reassigned.
BACKOFF_S_MAX = 3.0
# A child that ran this long has recovered: its next crash is a new one.
STABLE_AFTER_S = 30.0
LOG_CHECK_INTERVAL_S = 10.0


class Supervisor:
    """Watches started children, one task each, until `close`. `say` gets a line per crash and per restart."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, child: Child) -> None:
        """From now on restart the child whenever it ends, and keep its log bounded."""
        self._tasks.append(asyncio.create_task(self._keep_running(child), name=f"watch {child.name}"))
        self._tasks.append(asyncio.create_task(self._keep_log_bounded(child), name=f"log {child.name}"))

    async def close(self) -> None:
        """Stop watching. Call it before stopping the children."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_running(self, child: Child) -> None:
        backoff_s = BACKOFF_S_MIN
        while True:
            started = clock.monotonic()
            await child.wait()
            if clock.monotonic() - started > STABLE_AFTER_S:
                backoff_s = BACKOFF_S_MIN
            self._say(f"{child.name} {child.how_it_ended()}; starting it again in {backoff_s:g} s")
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)
            try:
                await child.start()
                self._say(f"{child.name} is back")
            except (ClinicError, OSError) as error:
                self._say(str(error))

    async def _keep_log_bounded(self, child: Child) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_INTERVAL_S)
            bound_log(child.log_path)
