"""Arbitrary messages on the channel of the workers' wake-ups."""

import asyncio
import contextlib
import random
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.redis import decided_channel
from tests.faults.faults.fault import Fault
from tests.faults.machine.machine import Machine

ID = "00000000-0000-4000-8000-000000000000"
GARBAGE = (
    b"hello", b"", b"\x00\xff", b"null", b"7", b"[]", b"{}", b"[[]]", b"[7]", b"[null]", b'["x"]',
    b'{"version": 2, "decisions": []}',
    b'[{"command_id": "x"}]',
    f'[["{ID}", null, "forgotten", null, null, 0, 0, "2026-01-01T00:00:00Z"]]'.encode(),
    f'{{"v": 9, "ids": ["{ID}"], "unknown": {{}}}}'.encode(),
)  # fmt: skip


class GarbageWakeUps(Fault):
    """Garbage, and JSON of a later release; the listeners keep listening."""

    name = "garbage-wake-ups"
    seconds = 3.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        client = Redis.from_url(machine.settings.redis_url.get_secret_value())
        with contextlib.suppress(RedisError):
            for message in chance.sample(GARBAGE, len(GARBAGE)):
                await client.publish(decided_channel(machine.settings), message)
                await asyncio.sleep(0.1)
        await client.aclose()
        await machine.recoveries.measure(self.name, time.monotonic())
