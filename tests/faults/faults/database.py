"""Postgres runs but refuses something for seconds; no command is to blame."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import asyncpg

from infra.settings import Settings
from tests.faults.faults.fault import Fault
from tests.faults.machine.machine import Machine

HELD_S = (3.0, 7.0)
TABLES = (
    "booking.appointments",
    "booking.decisions",
    "booking.partition_progress",
    "booking.events",
    "booking.doctors",
    "people.patients",
    "audit.entries",
    "notify.notifications",
)
ROLES = ("clinic_ingress", "clinic_worker", "clinic_auditor", "clinic_notifier")
# A role and a privilege that is revoked and granted again.
GRANTS = (
    ("clinic_worker", "INSERT ON booking.decisions"),
    ("clinic_worker", "UPDATE ON booking.partition_progress"),
    ("clinic_worker", "INSERT ON booking.events"),
    ("clinic_worker", "INSERT ON booking.appointments"),
    ("clinic_ingress", "SELECT ON booking.decisions"),
    ("clinic_auditor", "INSERT ON audit.entries"),
    ("clinic_notifier", "INSERT ON notify.notifications"),
)
COLUMN = "added_by_a_fault"
WITH_COLUMN = ("booking.appointments", "booking.decisions", "booking.events", "booking.time_off")


class _InPostgres(Fault):
    """A change in Postgres that is held for some seconds and undone."""

    seconds = 9.0
    mail_may_repeat = True

    def statements(self, chance: random.Random) -> tuple[str, str]:
        """The statements that make the change and undo it."""
        raise NotImplementedError

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        set_, undo = self.statements(chance)
        async with owner(machine.settings) as postgres:
            await postgres.execute(set_)
            try:
                await asyncio.sleep(chance.uniform(*HELD_S))
            finally:
                await postgres.execute(undo)
        await machine.recoveries.measure(self.name, time.monotonic())


class LockTable(_InPostgres):
    """A table is locked, as by a migration."""

    name = "lock-table"

    def statements(self, chance: random.Random) -> tuple[str, str]:
        return f"BEGIN; LOCK TABLE {chance.choice(TABLES)} IN ACCESS EXCLUSIVE MODE", "COMMIT"


class RefuseLogins(_InPostgres):
    """A service's role may not log in, and its sessions are terminated."""

    name = "refuse-logins"

    def statements(self, chance: random.Random) -> tuple[str, str]:
        role = chance.choice(ROLES)
        thrown_out = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        return f"ALTER ROLE {role} NOLOGIN; {thrown_out}", f"ALTER ROLE {role} LOGIN"


class RevokeGrant(_InPostgres):
    """A service loses a privilege that it needs."""

    name = "revoke-grant"

    def statements(self, chance: random.Random) -> tuple[str, str]:
        role, privilege = chance.choice(GRANTS)
        return f"REVOKE {privilege} FROM {role}", f"GRANT {privilege} TO {role}"


class AddColumn(_InPostgres):
    """A mandatory column is added that the workers do not know."""

    name = "add-column"

    def statements(self, chance: random.Random) -> tuple[str, str]:
        table = chance.choice(WITH_COLUMN)
        add = f"ALTER TABLE {table} ADD COLUMN {COLUMN} integer NOT NULL DEFAULT 0"
        return f"{add}; ALTER TABLE {table} ALTER COLUMN {COLUMN} DROP DEFAULT", (
            f"ALTER TABLE {table} DROP COLUMN {COLUMN}"
        )


@contextlib.asynccontextmanager
async def owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner, bypassing the proxies."""
    postgres = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        yield postgres
    finally:
        await postgres.close()
