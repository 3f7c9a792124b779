"""Servers that are killed, emptied or out of room."""

import asyncio
import contextlib
import random
import signal
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ops.embedded import Child, PartFailedError
from tests.faults.disk import UnavailableError
from tests.faults.fault import Fault
from tests.faults.machine import Machine
from tests.faults.recovery import KAFKA_S_MAX, POSTGRES_S_MAX

DOWN_S = (0.5, 8.0)
STARTS_MAX = 5
FULL_S = (3.0, 10.0)


class _KillServer(Fault):
    server: str
    signal_ = signal.SIGKILL
    seconds_max: float | None = None

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        child = machine.servers[self.server]
        child.send(self.signal_)
        await child.wait()
        try:
            await asyncio.sleep(chance.uniform(*DOWN_S))
        finally:
            await back(child)
        await machine.recoveries.measure(self.name, time.monotonic(), self.seconds_max)


class KillKafka(_KillServer):
    """kill -9 of the only broker."""

    name, server = "kill-kafka", "kafka"
    seconds, seconds_max = 17.0, KAFKA_S_MAX


class KillPostgres(_KillServer):
    """kill -9 of the postmaster; its sessions see it and end."""

    name, server = "kill-postgres", "postgres"
    seconds, seconds_max = 9.0, POSTGRES_S_MAX


class QuitPostgres(_KillServer):
    """Immediate shutdown: all sessions end without a word, and the start is a crash recovery."""

    name, server, signal_ = "quit-postgres", "postgres", signal.SIGQUIT
    seconds, seconds_max = 9.0, POSTGRES_S_MAX


class KillValkey(_KillServer):
    """kill -9 of Valkey, which comes back empty."""

    name, server = "kill-valkey", "valkey"
    seconds = 7.0


class FlushValkey(Fault):
    """FLUSHALL."""

    name = "flush-valkey"
    seconds = 1.0
    disturbs = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        client = Redis.from_url(machine.settings.redis_url.get_secret_value())
        # It may be down just now: then it is empty anyway.
        with contextlib.suppress(RedisError):
            await client.flushall()
        await client.aclose()


class FillDisk(Fault):
    """No room for Postgres, neither for data nor for its log. It stops where it cannot go on."""

    name = "fill-disk"
    seconds = 14.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        if machine.servers.disk is None:
            raise UnavailableError(machine.servers.no_disk_because)
        postgres = machine.servers["postgres"]
        try:
            machine.servers.disk.fill()
            await asyncio.sleep(chance.uniform(*FULL_S))
        finally:
            machine.servers.disk.empty()
            if not postgres.running:
                await back(postgres)
        await machine.recoveries.measure(self.name, time.monotonic(), POSTGRES_S_MAX)


async def back(child: Child) -> None:
    """Start a server again. What its predecessor left may be in its way for a moment."""
    for tries_left in reversed(range(STARTS_MAX)):
        try:
            return await child.start()
        except PartFailedError:
            if not tries_left:
                raise
            await asyncio.sleep(1)
    return None
