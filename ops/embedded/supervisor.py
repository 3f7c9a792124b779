"""Restarts what crashes, with exponential backoff, and says so."""

import asyncio
import time
from collections.abc import Callable

from infra.errors import ClinicError
from ops.embedded.process import Child, bound_log

BACKOFF_S_MIN = 0.5
# One that is killed again and again still works again within ten seconds (I10); and a worker is back before
# its session ends (6 s), so that no other has to take its partitions and give them back.
BACKOFF_S_MAX = 3.0
# A child that ran this long has recovered: its next crash is a new one.
STABLE_AFTER_S = 30.0
LOG_CHECK_INTERVAL_S = 10.0


class Supervisor:
    """Watches started children, one task each, until `close`. `say` gets a line per crash and per return."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self, child: Child) -> None:
        """From now on bring the child back whenever it ends, and keep its log bounded."""
        self._tasks.append(asyncio.create_task(self._keep_running(child), name=f"watch {child.name}"))
        self._tasks.append(asyncio.create_task(self._keep_log_bounded(child), name=f"log {child.name}"))

    async def close(self) -> None:
        """Watch no longer. Call it before stopping the children."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_running(self, child: Child) -> None:
        backoff_s = BACKOFF_S_MIN
        while True:
            started = time.monotonic()
            await child.wait()
            if time.monotonic() - started > STABLE_AFTER_S:
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
