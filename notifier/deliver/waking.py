"""Wakes the senders of every process when a notification is planned, through Postgres (LISTEN, NOTIFY)."""

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
    """Call `wake` whenever a notification was planned, until cancelled. Senders find missed ones by
    polling."""

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
                wake()  # for notifications planned before
                try:
                    await lost.wait()
                finally:
                    # A broken connection is back in the pool already: asyncpg raises InterfaceError.
                    with contextlib.suppress(asyncpg.InterfaceError, *OUTAGES):
                        connection.remove_termination_listener(gone)
                        await connection.remove_listener(CHANNEL, heard)
        except OUTAGES as error:
            _log.warning("cannot listen, retrying", error=repr(error))
        await asyncio.sleep(RETRY_S)
