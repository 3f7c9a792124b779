"""A command's connection to Postgres that is lost in the middle: its operator reads a sentence."""

import asyncpg
import pytest

from infra.errors import TransientError
from infra.postgres import Connection
from infra.settings import Settings
from ops.connections import database


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_is_an_outage(migrated: Settings, in_transaction: bool) -> None:
    with pytest.raises(TransientError, match="does not answer"):
        await _read_while_lost(migrated.postgres_dsn.get_secret_value(), in_transaction)


async def test_a_mistake_of_ours_is_none(migrated: Settings) -> None:
    with pytest.raises(asyncpg.InterfaceError, match="expects 1 argument"):
        await _misuse(migrated.postgres_dsn.get_secret_value())


async def _read_while_lost(dsn: str, in_transaction: bool) -> None:
    async with database(dsn, "lost") as pool, pool.acquire() as connection:
        if in_transaction:
            async with connection.transaction():
                await _lose(dsn, connection)
                await connection.fetchval("SELECT 1")
        await _lose(dsn, connection)
        await connection.fetchval("SELECT 1")


async def _misuse(dsn: str) -> None:
    async with database(dsn, "mistaken") as pool:
        await pool.fetchval("SELECT $1::int")


async def _lose(dsn: str, connection: Connection) -> None:
    other = await asyncpg.connect(dsn)
    try:
        await other.execute("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
    finally:
        await other.close()
