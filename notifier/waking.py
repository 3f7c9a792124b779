"""Who plans something wakes the senders, in whatever process, through Postgres (LISTEN, NOTIFY)."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncpg
import structlog

from infra.postgres import OUTAGES

CHANNEL = "notify_due"
RETRY_S = 1.0

_log = structlog.get_logger(__name__)


async def listen(pool: asyncpg.Pool, wake: Callable[[], None]) -> None:
    """Call `wake` whenever something was planned, until cancelled. What is missed, the senders find later."""

    def heard(*_: object) -> None:
        wake()

    while True:
        try:
            async with pool.acquire() as connection:
                lost = asyncio.Event()

                def gone(_: object, lost: asyncio.Event = lost) -> None:
                    lost.set()

                connection.add_termination_listener(gone)
                await connection.add_listener(CHANNEL, heard)
                wake()  # for what came before
                try:
                    await lost.wait()
                finally:
                    connection.remove_termination_listener(gone)
                    with contextlib.suppress(*OUTAGES):
                        await connection.remove_listener(CHANNEL, heard)
        except OUTAGES as error:
            _log.warning("cannot listen yet", error=repr(error))
        await asyncio.sleep(RETRY_S)
