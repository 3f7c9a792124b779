"""A second set of the book's tables: filled without indexes, and then made what the first is.

What the tables of `booking` have beside their rows (constraints, indexes, triggers, grants, comments) is read
from the database, so that migrations need not know of this.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from infra.errors import MisconfiguredError
from infra.postgres import Connection
from ops.replay.state_hash import TABLE_TIMEOUT_S, TABLES

# ruff: noqa: S608 (names of tables are our own)
FRESH = "booking_fresh"
# `booking.addressed_commands` is the ingress's own, and stays.
NAMES = (*TABLES, "partition_progress")

_TABLES = "SELECT * FROM pg_class WHERE relnamespace = 'booking'::regnamespace AND relname = ANY($1)"
# Whatever the book has of these would be lost: our migrations make none. $1: the tables.
_NOT_CARRIED = f"""
WITH tables AS MATERIALIZED (SELECT oid, relname, relrowsecurity FROM ({_TABLES}) AS tables)
SELECT format('grants on columns of %s', relname)
FROM tables t JOIN pg_attribute a ON attrelid = t.oid WHERE attacl IS NOT NULL
UNION SELECT format('row security of %s', relname) FROM tables WHERE relrowsecurity
UNION SELECT format('the foreign key %s', conname)
FROM tables t JOIN pg_constraint ON t.oid IN (conrelid, confrelid) WHERE contype = 'f'
UNION SELECT format('a publication of %s', relname) FROM tables t JOIN pg_publication_rel ON prrelid = t.oid
UNION SELECT format('the view %s', v.oid::regclass)
FROM tables t
JOIN pg_depend d ON d.refobjid = t.oid
JOIN pg_rewrite r ON r.oid = d.objid
JOIN pg_class v ON v.oid = r.ev_class
WHERE v.relnamespace <> 'booking'::regnamespace OR v.relkind <> 'v'
"""
# One statement a row, in the order in which they are to be executed. $1: the tables.
_COMPLETE = f"""
WITH tables AS ({_TABLES})
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
SELECT 4, format('ALTER TABLE {FRESH}.%I RESET (autovacuum_enabled)', relname) FROM tables
UNION ALL
SELECT 5, format('COMMENT ON TABLE {FRESH}.%I IS %L', relname, obj_description(oid, 'pg_class')) FROM tables
UNION ALL
SELECT 6, format('GRANT %s ON {FRESH}.%I TO %s%s', privilege_type, relname,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
FROM tables, aclexplode(relacl)
UNION ALL
SELECT 7, format('ANALYZE {FRESH}.%I', relname) FROM tables
ORDER BY step
"""


async def create(connection: Connection) -> None:
    """Make the empty tables, in place of those that a killed rebuild left.

    Raises:
        MisconfiguredError: the book has something that would be lost.
    """
    if lost := [row[0] for row in await connection.fetch(_NOT_CARRIED, list(NAMES))]:
        raise MisconfiguredError(
            f"No migration made these, and a rebuild loses them: {', '.join(sorted(lost))}."
        )
    await drop(connection)
    tables = await connection.fetch(_TABLES, list(NAMES))
    async with connection.transaction():
        await connection.execute(f"CREATE SCHEMA {FRESH}")
        for table in tables:
            # While they are filled, autovacuum would only be in the way.
            options = ", ".join([*(table["reloptions"] or ()), "autovacuum_enabled = off"])
            name = table["relname"]
            like = f"LIKE booking.{name} INCLUDING ALL EXCLUDING INDEXES"
            await connection.execute(f"CREATE TABLE {FRESH}.{name} ({like}) WITH ({options})")


async def drop(connection: Connection) -> None:
    """Drop what there is of the tables."""
    await connection.execute(f"DROP SCHEMA IF EXISTS {FRESH} CASCADE")


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
    query = f"DELETE FROM {FRESH}.appointments WHERE id = ANY($1) RETURNING *"
    return list(await connection.fetch(query, list(ids), timeout=TABLE_TIMEOUT_S))


async def complete(connection: Connection) -> None:
    """Add what the tables of `booking` have beside their rows.

    Raises:
        asyncpg.IntegrityConstraintViolationError: two rows are in conflict.
    """
    for row in await connection.fetch(_COMPLETE, list(NAMES)):
        await connection.execute(row["statement"], timeout=TABLE_TIMEOUT_S)
