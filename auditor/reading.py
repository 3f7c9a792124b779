"""Reads the trail in order, in blocks of bounded size."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from auditor.chain.hash_chain import first_hash
from contracts.audit import Chain
from infra.postgres import Connection

BLOCK = 5_000

# True if the searchable columns agree with the content. The content is canonical and the fields that have a
# column come first, so its beginning is compared as text, without parsing the JSON. `starts_with` would count
# characters, which takes twice as long.
COLUMNS_AGREE = """position(concat(
    '{"about":{"appointment_id":', coalesce('"' || appointment_id || '"', 'null'),
    ',"doctor_id":', coalesce('"' || doctor_id || '"', 'null'),
    ',"patient_id":', coalesce('"' || patient_id || '"', 'null'),
    '},"action":"', action,
    '","actor":{"id":', coalesce('"' || actor_id || '"', 'null'), ',"kind":"', actor_kind,
    '"},"at":"', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
    'Z","command_id":', coalesce('"' || command_id || '"', 'null'), ','
) IN content) = 1"""

ENTRIES = f"""
SELECT number, convert_to(content, 'UTF8') AS content, hash,
    {COLUMNS_AGREE} AND isfinite(recorded_at) AS agree, recorded_at
FROM audit.entries
WHERE chain = $1 AND partition = $2 AND number BETWEEN $3 AND $4
ORDER BY number, occurred_at
"""  # noqa: S608 (nothing but constants)
HASHES = """
SELECT number, hash FROM audit.entries
WHERE chain = $1 AND partition = $2 AND number BETWEEN $3 AND $4
ORDER BY number, occurred_at
"""


async def read_in_order(connection: Connection) -> None:
    """Make the queries of this transaction read along the index instead of sorting a whole chain."""
    await connection.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")


async def blocks(
    connection: Connection, query: str, chain: Chain, partition: int, first: int, last: int
) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows of `ENTRIES` or `HASHES` with these numbers. A transaction must be open."""
    cursor = await connection.cursor(query, chain, partition, first, last)
    while rows := await cursor.fetch(BLOCK):
        yield rows


async def stub_from(
    connection: Connection, chain: Chain, partition: int, number: int
) -> asyncpg.Record | None:
    """The stub that begins with this number."""
    return await connection.fetchrow(
        "SELECT * FROM audit.stubs WHERE chain = $1 AND partition = $2 AND first_number = $3",
        chain,
        partition,
        number,
    )


async def hash_of(connection: Connection, chain: Chain, partition: int, number: int) -> bytes:
    """The hash of an entry, dropped or not; of number 0 the chain's initial hash. Empty if it is missing."""
    if number == 0:
        return first_hash(chain, partition)
    found: bytes | None = await connection.fetchval(
        "SELECT hash FROM audit.entries WHERE chain = $1 AND partition = $2 AND number = $3",
        chain,
        partition,
        number,
    )
    if found is None:
        found = await connection.fetchval(
            "SELECT substr(hashes, octet_length(hashes) - 31) FROM audit.stubs "
            "WHERE chain = $1 AND partition = $2 AND last_number = $3",
            chain,
            partition,
            number,
        )
    return found or b""


async def hashes(connection: Connection, chain: Chain, partition: int, size: int) -> AsyncIterator[bytes]:
    """The hashes of the first `size` entries; those of dropped entries come from their stubs.

    Stops where an entry is missing.
    """
    at = 0
    async for rows in blocks(connection, HASHES, chain, partition, 1, size):
        for number, hash_ in rows:
            while number > at + 1 and (stub := await stub_from(connection, chain, partition, at + 1)):
                for dropped_hash in _split(stub):
                    yield dropped_hash
                at = stub["last_number"]
            if number != at + 1:
                return
            yield hash_
            at = number
    while at < size and (stub := await stub_from(connection, chain, partition, at + 1)):
        for dropped_hash in _split(stub)[: size - at]:
            yield dropped_hash
        at = stub["last_number"]


def _split(stub: Any) -> list[bytes]:
    kept: bytes = stub["hashes"]
    return [kept[start : start + 32] for start in range(0, len(kept), 32)]
