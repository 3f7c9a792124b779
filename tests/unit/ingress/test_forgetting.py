"""The job that forgets patients survives what ends a connection."""

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from infra.settings import Settings
from ingress.patients import forgetting
from ingress.patients.forgetting import Forgetting

LOST = "cannot call Transaction.__aexit__(): the underlying connection is closed"


async def test_a_connection_that_breaks_in_a_transaction_is_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forgetting, "IDLE_INTERVAL_S", 0.0)
    again = asyncio.Event()
    broken = [asyncpg.InterfaceError(LOST)]

    class Pool:
        async def fetch(self, *_: object) -> list[Any]:
            if broken:
                raise broken.pop()
            again.set()
            return []

    job = Forgetting(Settings(), cast(Any, Pool()), cast(Any, None), cast(Any, None))
    running = asyncio.create_task(job.run())
    await asyncio.wait_for(again.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
