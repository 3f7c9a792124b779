"""A second set of the book's tables: filled without constraints, completed, put in the place of the first.

What the tables of `booking` are (constraints, indexes, triggers, grants, comments) is read from the database,
so that migrations need not know of this.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from infra.postgres import Connection
from ops.replay.state_hash import TABLE_TIMEOUT_S, TABLES

# ruff: noqa: S608 (names of tables are our own)
FRESH = "booking_fresh"
BEFORE = "booking_before"
# `booking.addressed_commands` is the ingress's own, and stays.
NAMES = (*TABLES, "partition_progress")
# A lock that is waited for holds up whoever comes behind it.
LOCK_TIMEOUT = "1s"

# One statement a row, in the order in which they are to be executed. $1: the tables.
_COMPLETE = f"""
WITH tables AS (
    SELECT oid, relname, reloptions, relacl FROM pg_class
    WHERE relnamespace = 'booking'::regnamespace AND relname = ANY($1)
)
SELECT 1 AS step, format('ALTER TABLE {FRESH}.%I ADD CONSTRAINT %I %s', relname, conname,
    pg_get_constraintdef(k.oid)) AS statement
FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid WHERE contype IN ('p', 'u', 'x')
UNION ALL
SELECT 2, replace(pg_get_indexdef(indexrelid), ' ON booking.', ' ON {FRESH}.')
FROM tables t JOIN pg_index i ON i.indrelid = t.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
UNION ALL
SELECT 3, replace(pg_get_triggerdef(g.oid), ' ON booking.', ' ON {FRESH}.')
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT tgisinternal
UNION ALL
SELECT 4, format('ALTER TABLE {FRESH}.%I SET (%s)', relname, array_to_string(reloptions, ', '))
FROM tables WHERE reloptions IS NOT NULL
UNION ALL
SELECT 5, format('COMMENT ON TABLE {FRESH}.%I IS %L', relname, obj_description(oid, 'pg_class')) FROM tables
UNION ALL
SELECT 6, format('GRANT %s ON {FRESH}.%I TO %s', privilege_type, relname, grantee::regrole)
FROM tables, aclexplode(relacl)
UNION ALL
SELECT 7, format('ANALYZE {FRESH}.%I', relname) FROM tables
ORDER BY step
"""
_VIEWS = """
SELECT format('CREATE OR REPLACE VIEW booking.%I AS %s', relname, pg_get_viewdef(oid)) AS statement
FROM pg_class WHERE relnamespace = 'booking'::regnamespace AND relkind = 'v'
"""


async def create(connection: Connection) -> None:
    """Make the empty tables; those of a rebuild that was interrupted are dropped."""
    async with connection.transaction():
        await connection.execute(f"DROP SCHEMA IF EXISTS {FRESH} CASCADE; CREATE SCHEMA {FRESH}")
        for name in NAMES:
            await connection.execute(
                f"CREATE TABLE {FRESH}.{name} (LIKE booking.{name} INCLUDING ALL EXCLUDING INDEXES)"
            )


async def copy(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Add rows to a table."""
    await connection.copy_records_to_table(
        table,
        records=rows,
        columns=[column.strip('"') for column in columns],
        schema_name=FRESH,
        timeout=TABLE_TIMEOUT_S,
    )


async def take_appointments(connection: Connection, ids: Iterable[UUID]) -> list[asyncpg.Record]:
    """Remove appointments from their table, and return their rows."""
    return list(
        await connection.fetch(f"DELETE FROM {FRESH}.appointments WHERE id = ANY($1) RETURNING *", list(ids))
    )


async def complete(connection: Connection) -> None:
    """Add what the tables of `booking` have beside their rows.

    Raises:
        asyncpg.ExclusionViolationError: two booked appointments are in conflict.
        asyncpg.UniqueViolationError: two rows have the same key.
    """
    for row in await connection.fetch(_COMPLETE, list(NAMES)):
        await connection.execute(row["statement"], timeout=TABLE_TIMEOUT_S)


async def swap(connection: Connection) -> None:
    """Put the tables in the place of those of `booking`, which are kept. The caller's transaction does it.

    Raises:
        asyncpg.LockNotAvailableError: a long transaction reads them.
    """
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    await connection.execute(f"DROP SCHEMA IF EXISTS {BEFORE} CASCADE; CREATE SCHEMA {BEFORE}")
    views = await connection.fetch(_VIEWS)
    for name in NAMES:
        await connection.execute(f"ALTER TABLE booking.{name} SET SCHEMA {BEFORE}")
        await connection.execute(f"ALTER TABLE {FRESH}.{name} SET SCHEMA booking")
    for view in views:
        await connection.execute(view["statement"])
    await connection.execute(f"DROP SCHEMA {FRESH}")
