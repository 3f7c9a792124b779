"""Restores of older database states: the log is ahead and has to be caught up with, without repeats."""

import asyncio
import contextlib
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import topic_name
from infra.postgres import OUTAGES
from infra.settings import Settings
from tests.faults.checker import Finding
from tests.faults.faults.database import owner
from tests.faults.faults.fault import Fault
from tests.faults.faults.servers import back
from tests.faults.machine.machine import FOLLOWERS, INGRESSES, WORKERS, Machine
from tests.faults.monitors.recovery import PATH
from tests.faults.settling import settle

AGE_S = (5.0, 15.0)
CATCH_UP_S_MAX = 60.0
LOST_S = (2.0, 6.0)
MOVES = 4
# No client sends anything: the services have to notice it by the positions alone.
SEEN_S_MAX = 20.0
POLL_S = 0.5


class RestoreBackup(Fault):
    """A backup is made, and later restored, with the services stopped both times.

    The ingresses start once the workers have caught up, so that no status goes backwards.
    """

    name = "restore-backup"
    mail_may_repeat = True
    seconds = 40.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        database = machine.settings.postgres_dsn.get_secret_value().rpartition("/")[2]
        backup = f"{database}_backup"
        await machine.stop()
        await _copy(machine.settings, database, backup)
        await machine.start()
        await asyncio.sleep(chance.uniform(*AGE_S))
        await machine.stop()
        await _copy(machine.settings, backup, database)
        machine.restored_at.append(time.time())
        since = time.monotonic()
        await machine.start(WORKERS)
        await settle(machine.settings, CATCH_UP_S_MAX)
        await machine.start(INGRESSES + FOLLOWERS)
        await machine.recoveries.measure(self.name, since)


class RestoreUnderServices(Fault):
    """Postgres is replaced by a copy some seconds older, like a promoted standby, under running services.

    In the lost seconds visits were moved from one doctor to another, in two partitions; afterwards other
    patients request the times that they were moved to.
    """

    name = "restore-running"
    mail_may_repeat = True
    seconds = 40.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        async with _older_copy(machine) as copy:
            asked = [await machine.probes.book_and_move() for _ in range(MOVES)]
            await asyncio.sleep(chance.uniform(*LOST_S))
            await self._restore(machine, copy)
        client = machine.recoveries.clients[0]
        await asyncio.gather(*(machine.recoveries.ask(client, "POST", PATH, body) for body in asked))
        await machine.recoveries.measure(self.name, time.monotonic())

    async def _restore(self, machine: Machine, copy: Path) -> None:
        await _put_back(machine, copy)


class RestoreUnderIdleServices(RestoreUnderServices):
    """The same without any requests: it has to be noticed all the same."""

    name = "restore-idle"
    seconds = 50.0

    async def _restore(self, machine: Machine, copy: Path) -> None:
        machine.clients_may_ask.clear()
        try:
            await settle(machine.settings, CATCH_UP_S_MAX)
            before = await _event_counts(machine.settings)
            await _put_back(machine, copy)
            deadline = time.monotonic() + SEEN_S_MAX
            while missing := _behind(before, await _event_counts(machine.settings)):
                if time.monotonic() > deadline:
                    text = f"{SEEN_S_MAX:g} s after Postgres came back older, without traffic, "
                    text += f"partitions {missing} still lack events that are on the topic"
                    machine.findings.append(Finding("I11", text))
                    break
                await asyncio.sleep(POLL_S)
        finally:
            machine.clients_may_ask.set()


@contextlib.asynccontextmanager
async def _older_copy(machine: Machine) -> AsyncIterator[Path]:
    """A copy of Postgres' files. Postgres is stopped for a moment."""
    postgres = machine.servers["postgres"]
    files = postgres.pid_path.parent.parent / "postgres"
    copy = files.with_name("postgres.older")
    await postgres.stop()
    try:
        await asyncio.to_thread(_copy_files, files, copy)
    finally:
        await back(postgres)
    try:
        yield copy
    finally:
        await asyncio.to_thread(shutil.rmtree, copy)


async def _put_back(machine: Machine, copy: Path) -> None:
    postgres = machine.servers["postgres"]
    await postgres.stop()
    try:
        await asyncio.to_thread(_copy_files, copy, copy.with_name("postgres"))
        machine.restored_at.append(time.time())
    finally:
        await back(postgres)


def _copy_files(source: Path, target: Path) -> None:
    # The folder itself stays: it may be a mount point.
    target.mkdir(mode=0o700, exist_ok=True)
    for entry in target.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


async def _event_counts(settings: Settings) -> dict[int, int]:
    with contextlib.suppress(*OUTAGES):
        async with owner(settings) as postgres:
            query = "SELECT partition, event_count FROM booking.partition_progress WHERE topic = $1"
            rows = await postgres.fetch(query, topic_name(settings, COMMANDS_TOPIC))
            return {row["partition"]: row["event_count"] for row in rows}
    return {}


def _behind(before: dict[int, int], now: dict[int, int]) -> list[int]:
    return sorted(number for number, count in before.items() if now.get(number, 0) < count)


async def _copy(settings: Settings, source: str, target: str) -> None:
    server = settings.postgres_dsn.get_secret_value().rpartition("/")[0]
    postgres = await asyncpg.connect(f"{server}/postgres")
    try:
        await postgres.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        await postgres.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
    finally:
        await postgres.close()
