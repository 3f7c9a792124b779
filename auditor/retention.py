"""Retention: whole months past the limit are dropped; their hashes stay in signed stubs."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import NamedTuple

import asyncpg
import structlog

from auditor.chain.hash_chain import entry_hash
from auditor.chain.signing import Signer, stub_of
from auditor.metrics import RETENTION_BROKEN
from auditor.reading import ENTRIES, blocks, hash_of, read_in_order
from contracts.audit import Chain
from infra import clock
from infra.errors import ClinicError
from infra.postgres import Connection

# 3 MB of hashes in a row.
STUB_ENTRIES_MAX = 100_000
DROP_TIMEOUT_S = 600.0
LOCK = "SELECT pg_advisory_xact_lock(hashtext('audit.retention'))"

_log = structlog.get_logger(__name__)


class RetentionError(ClinicError):
    """A month past retention does not verify. It is evidence, so it is kept."""


class DroppedMonth(NamedTuple):
    """A dropped month and its number of entries."""

    month: date
    entries: int


async def retain(pool: asyncpg.Pool, signer: Signer, years: int) -> list[DroppedMonth]:
    """Drop the months that ended more than `years` ago, the oldest first, each in one transaction. Never one
    within the retention that `clinic migrate` recorded.

    Raises:
        RetentionError: one of them does not verify.
        OUTAGES, CONFLICTS: of `infra.postgres`; months dropped before that stay dropped.
    """
    limit = _years_before(clock.now(), max(years, await pool.fetchval("SELECT years FROM audit.retention")))
    dropped = []
    for month in await _months(pool):
        if _following(month) > limit:
            break
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = '{DROP_TIMEOUT_S:.0f}s'")
            await connection.execute(LOCK, timeout=DROP_TIMEOUT_S)
            await read_in_order(connection)
            await _write_stubs(connection, signer, month)
            await connection.execute("CLOSE ALL")  # exhausted cursors still hold the table
            entries = await connection.fetchval("SELECT audit.drop_month($1)", month, timeout=DROP_TIMEOUT_S)
        if entries is None:
            continue  # another process has dropped it
        _log.info("month dropped", month=str(month), entries=entries)
        dropped.append(DroppedMonth(month, entries))
    RETENTION_BROKEN.set(0)
    return dropped


async def _months(pool: asyncpg.Pool) -> list[date]:
    rows = await pool.fetch(
        """
        SELECT to_date(c.relname, '"entries_"YYYY_MM') AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'audit.entries'::regclass AND c.relkind = 'r'
        ORDER BY 1
        """
    )
    return [row["month"] for row in rows]


async def _write_stubs(connection: Connection, signer: Signer, month: date) -> None:
    # The entries of a chain in one month are consecutive, unless a clock was set back at the turn of a month.
    stretches = await connection.fetch(
        """
        SELECT chain, partition, min(number) AS first, max(number) AS last
        FROM (
            SELECT chain, partition, number,
                number - row_number() OVER (PARTITION BY chain, partition ORDER BY number) AS stretch
            FROM audit.entries WHERE occurred_at >= $1::timestamp AT TIME ZONE 'UTC'
                AND occurred_at < $2::timestamp AT TIME ZONE 'UTC'
        ) AS numbered
        GROUP BY chain, partition, stretch ORDER BY chain, partition, 3
        """,
        _midnight(month),
        _midnight(_following(month)),
        timeout=DROP_TIMEOUT_S,
    )
    for chain, partition, first, last in stretches:
        await _write_stub(connection, signer, month, Chain(chain), partition, first, last)


async def _write_stub(
    connection: Connection, signer: Signer, month: date, chain: Chain, partition: int, first: int, last: int
) -> None:
    async for number, hashes in _verified(connection, chain, partition, first, last):
        stub = stub_of(chain, partition, number, hashes, str(month), clock.now())
        await connection.execute(
            """
            INSERT INTO audit.stubs
                (chain, partition, first_number, last_number, month, hashes, signed_at, key_id, signature)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            chain,
            partition,
            number,
            stub.last_number,
            month,
            hashes,
            stub.signed_at,
            signer.key_id,
            signer.sign(stub),
        )


async def _verified(
    connection: Connection, chain: Chain, partition: int, first: int, last: int
) -> AsyncIterator[tuple[int, bytes]]:
    """The hashes of consecutive entries in pieces, each with its first number, while the chain verifies."""
    before = await hash_of(connection, chain, partition, first - 1)
    piece, expected = bytearray(), first
    async for rows in blocks(connection, ENTRIES, chain, partition, first, last):
        for number, content, stored, agree, _ in rows:
            if number != expected or not agree or entry_hash(before, content) != stored:
                RETENTION_BROKEN.set(1)
                raise RetentionError(
                    f"Entry {number} of {chain}/{partition} does not verify, so its month is kept: "
                    "run `clinic audit verify`."
                )
            before, expected = stored, number + 1
            piece += stored
            if len(piece) == 32 * STUB_ENTRIES_MAX:
                yield expected - STUB_ENTRIES_MAX, bytes(piece)
                piece.clear()
    if piece:
        yield expected - len(piece) // 32, bytes(piece)


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 (the statement says UTC)


def _years_before(now: datetime, years: int) -> date:
    # The first of the month: 29 February has no anniversary, and only whole months go anyway.
    return date(now.year - years, now.month, 1)
