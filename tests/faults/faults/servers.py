"""Servers that are killed, emptied or out of disk space."""

import asyncio
import contextlib
import random
import signal
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ops.embedded import Child, PartFailedError
from tests.faults.faults.fault import Fault
from tests.faults.machine.disk import UnavailableError
from tests.faults.machine.machine import Machine
from tests.faults.monitors.recovery import KAFKA_S_MAX, POSTGRES_S_MAX

DOWN_S = (0.5, 8.0)
STARTS_MAX = 5
FULL_S = (3.0, 10.0)
BROKEN_S = 3.0
BROKEN_MAILS = (1, 5)


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
    """kill -9 of the postmaster; its sessions notice it and end."""

    name, server = "kill-postgres", "postgres"
    seconds, seconds_max = 9.0, POSTGRES_S_MAX
    mail_may_repeat = True


class QuitPostgres(_KillServer):
    """Immediate shutdown: all sessions are cut, and the start is a crash recovery."""

    name, server, signal_ = "quit-postgres", "postgres", signal.SIGQUIT
    seconds, seconds_max = 9.0, POSTGRES_S_MAX
    mail_may_repeat = True


class KillValkey(_KillServer):
    """kill -9 of Valkey, which restarts empty."""

    name, server = "kill-valkey", "valkey"
    seconds = 7.0


class FlushValkey(Fault):
    """FLUSHALL."""

    name = "flush-valkey"
    seconds = 1.0
    disturbs = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        client = Redis.from_url(machine.settings.redis_url.get_secret_value())
        # It may be down: then it is empty anyway.
        with contextlib.suppress(RedisError):
            await client.flushall()
        await client.aclose()


class BreakMailServer(Fault):
    """The mail server closes connections after the final dot of some mails: accepted without a reply."""

    name = "break-mail-server"
    seconds = BROKEN_S
    disturbs = True
    mail_may_repeat = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        rule = machine.smtp.rule("dot", "drop", times=chance.randint(*BROKEN_MAILS))
        await asyncio.sleep(BROKEN_S)
        rule.lift()


class FillDisk(Fault):
    """Postgres' disk is full, for data and for the write-ahead log. It stops where it cannot continue."""

    name = "fill-disk"
    seconds = 14.0
    mail_may_repeat = True

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
    """Restart a server. Remains of its predecessor may block it for a moment."""
    for tries_left in reversed(range(STARTS_MAX)):
        try:
            return await child.start()
        except PartFailedError:
            if not tries_left:
                raise
            await asyncio.sleep(1)
    return None
