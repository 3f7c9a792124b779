"""Heads by time: a chain with something new is signed every minute, whoever runs beside."""

import asyncpg

from auditor.signing import Signer
from auditor.trail import load_end, save_heads
from contracts.audit import Chain, SignedHead
from infra import clock


async def sign_what_is_new(pool: asyncpg.Pool, signer: Signer) -> None:
    """Sign a head of every chain that has grown since its last one.

    Raises:
        OUTAGES, CONFLICTS: of `infra.postgres`; what was signed before stays.
    """
    rows = await pool.fetch(
        """
        SELECT c.chain, c.partition FROM audit.chains c
        WHERE NOT EXISTS (
            SELECT FROM audit.heads h
            WHERE h.chain = c.chain AND h.partition = c.partition AND h.size >= c.size
        )
        ORDER BY c.chain, c.partition
        """
    )
    for row in rows:
        async with pool.acquire() as connection, connection.transaction():
            end = await load_end(connection, Chain(row["chain"]), row["partition"])
            # The lock makes whoever else signs this chain wait, and then find it done.
            known = await connection.fetchval(
                "SELECT true FROM audit.heads WHERE chain = $1 AND partition = $2 AND size >= $3 LIMIT 1",
                *(end.chain, end.partition, end.size),
            )
            if not known:
                await save_heads(connection, [signer.head(end, clock.now())])


async def latest_heads(pool: asyncpg.Pool) -> list[SignedHead]:
    """The last head of every chain."""
    rows = await pool.fetch(
        """
        SELECT h.* FROM audit.chains c
        CROSS JOIN LATERAL (
            SELECT * FROM audit.heads h WHERE h.chain = c.chain AND h.partition = c.partition
            ORDER BY h.size DESC LIMIT 1
        ) AS h
        ORDER BY h.chain, h.partition
        """
    )
    return [SignedHead.from_row(row) for row in rows]
