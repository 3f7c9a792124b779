"""Puts the fresh tables in the place of the book's, in one transaction."""

import asyncio

from infra import clock
from infra.errors import MisconfiguredError
from infra.postgres import CONFLICTS, Connection
from ops.rebuild.fold_partition import FoldedPartition
from ops.rebuild.fresh_schema import FRESH, NAMES
from storage.positions import Position, read_positions

# ruff: noqa: S608 (names of tables are our own)
# Whoever reads the book for long has to end first. A lock that is waited for holds up whoever comes behind;
# only a wait of more than Postgres' `deadlock_timeout` (1 s) makes an autovacuum give way.
TRIES = 60
LOCK_TIMEOUTS = ("300ms", "300ms", "300ms", "2s")
INTERVAL_S = 0.5

_VIEWS = """
SELECT format('%I', relname) AS name,
    format('CREATE OR REPLACE VIEW booking.%I %s AS %s', relname,
        'WITH (' || array_to_string(reloptions, ', ') || ')', pg_get_viewdef(oid)) AS statement
FROM pg_class WHERE relnamespace = 'booking'::regnamespace AND relkind = 'v' ORDER BY relname
"""
_TRIGGERS = """
SELECT format('DROP TRIGGER %I ON booking.%I', tgname, relname) AS statement
FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
WHERE relnamespace = 'booking'::regnamespace AND relname = ANY($1) AND NOT tgisinternal
"""
_HOLDERS = """
SELECT string_agg(DISTINCT format('%s (process %s)', coalesce(nullif(application_name, ''), usename), pid),
    ', ')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE granted AND pid <> pg_backend_pid()
    AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'booking'::regnamespace)
"""


async def write_positions(connection: Connection, topic: str, folded: list[FoldedPartition]) -> None:
    """Fill the table of positions: those of `booking`, with what was folded. An operator's orders stay."""
    await connection.execute(
        f"""
        DELETE FROM {FRESH}.partition_progress;
        INSERT INTO {FRESH}.partition_progress SELECT * FROM booking.partition_progress
        """
    )
    # Commands behind the last event made none. If the events are the same, they need not be looked at again.
    await connection.execute(
        f"""
        UPDATE {FRESH}.partition_progress p SET event_count = f.events, published_count = f.events,
            next_offset = CASE WHEN p.event_count = f.events THEN greatest(p.next_offset, f.next_offset)
                ELSE f.next_offset END
        FROM unnest($2::smallint[], $3::bigint[], $4::bigint[]) AS f (partition, events, next_offset)
        WHERE p.topic = $1 AND p.partition = f.partition
        """,
        topic,
        [each.partition for each in folded],
        [each.events for each in folded],
        [each.next_offset for each in folded],
    )


async def swap(
    connection: Connection, topic: str, before: list[Position], folded: list[FoldedPartition]
) -> str | None:
    """Returns the schema in which the tables as they were are kept; None if they had no events.

    Raises:
        MisconfiguredError: somebody decided since `before`, or the book is read without an end.
    """
    for number in range(TRIES):
        try:
            async with connection.transaction():
                await connection.execute(
                    f"SET LOCAL lock_timeout = '{LOCK_TIMEOUTS[number % len(LOCK_TIMEOUTS)]}'"
                )
                return await _swap(connection, topic, before, folded)
        except CONFLICTS:
            await asyncio.sleep(INTERVAL_S)
    holders = await connection.fetchval(_HOLDERS)
    raise MisconfiguredError(f"{holders or 'Somebody'} reads the book without an end: nothing was swapped.")


async def _swap(
    connection: Connection, topic: str, before: list[Position], folded: list[FoldedPartition]
) -> str | None:
    views = await connection.fetch(_VIEWS)
    # In the order of whoever reads: a view, then its tables.
    locked = ", ".join(f"booking.{name}" for name in (*(view["name"] for view in views), *NAMES))
    await connection.execute(f"LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE")
    now = (await read_positions(connection, topic)).values()
    if list(map(_decided, now)) != list(map(_decided, before)):
        raise MisconfiguredError("Somebody decided commands meanwhile: stop all workers first.")
    await write_positions(connection, topic, folded)
    kept = f"booking_before_{clock.now():%Y%m%d_%H%M%S}"
    # Their functions are the book's, and a later migration may drop them.
    for trigger in await connection.fetch(_TRIGGERS, list(NAMES)):
        await connection.execute(trigger["statement"])
    await connection.execute(f"CREATE SCHEMA {kept}")
    for name in NAMES:
        await connection.execute(f"ALTER TABLE booking.{name} SET SCHEMA {kept}")
        await connection.execute(f"ALTER TABLE {FRESH}.{name} SET SCHEMA booking")
    for view in views:
        await connection.execute(view["statement"])
    await connection.execute(f"DROP SCHEMA {FRESH}")
    if any(position.event_count for position in before):
        return kept
    await connection.execute(f"DROP SCHEMA {kept} CASCADE")
    return None


def _decided(position: Position) -> tuple[object, ...]:
    return position.topic_id, position.next_offset, position.event_count, position.published_count
