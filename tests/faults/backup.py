"""The database as it was a while ago: what the log holds beyond has to be caught up with, nothing twice."""

import asyncio
import random
import time

import asyncpg

from infra.settings import Settings
from tests.faults.fault import Fault
from tests.faults.machine import INGRESSES, WORKERS, Machine
from tests.faults.settling import settle

AGE_S = (5.0, 15.0)
CATCH_UP_S_MAX = 60.0


class RestoreBackup(Fault):
    """A backup is made, and after a while put back, with the services stopped for either.

    The ingresses are started when the workers have caught up: what they say does not go backwards.
    """

    name = "restore-backup"
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
        since = time.monotonic()
        await machine.start(WORKERS)
        await settle(machine.settings, CATCH_UP_S_MAX)
        await machine.start(INGRESSES)
        await machine.recoveries.measure(self.name, since)


async def _copy(settings: Settings, source: str, target: str) -> None:
    server = settings.postgres_dsn.get_secret_value().rpartition("/")[0]
    owner = await asyncpg.connect(f"{server}/postgres")
    try:
        await owner.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        await owner.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
    finally:
        await owner.close()
