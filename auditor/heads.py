"""Heads by time: a chain with something new is signed every minute, whoever runs beside."""

from collections.abc import Sequence

import asyncpg

from auditor.ends import EndError, load_end, moment, save_end
from auditor.metrics import END_BROKEN, HEADS
from auditor.signing import Signer, TrustedKeys
from contracts.audit import Chain, SignedHead
from infra.postgres import Connection


async def sign_what_is_new(pool: asyncpg.Pool, signer: Signer, keys: TrustedKeys) -> None:
    """Sign a head of every chain that has grown since its last one, or whose end another of the keys signed.

    Raises:
        EndError: none of the keys signed the end of some chains; the others are done.
        OUTAGES, CONFLICTS: of `infra.postgres`; what was signed before stays.
    """
    rows = await pool.fetch(
        """
        SELECT c.chain, c.partition FROM audit.chains c
        WHERE c.key_id <> $1 OR NOT EXISTS (
            SELECT FROM audit.heads h
            WHERE h.chain = c.chain AND h.partition = c.partition AND h.size >= c.size
        )
        ORDER BY c.chain, c.partition
        """,
        signer.key_id,
    )
    broken = []
    for row in rows:
        try:
            await _sign(pool, signer, keys, Chain(row["chain"]), row["partition"])
        except EndError as error:
            broken.append(str(error))
    END_BROKEN.set(bool(broken))
    if broken:
        raise EndError(" ".join(broken))


async def _sign(pool: asyncpg.Pool, signer: Signer, keys: TrustedKeys, chain: Chain, partition: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        end = await load_end(connection, chain, partition, keys)
        head = signer.head(end, moment(end))
        await save_end(connection, end, head)
        await save_heads(connection, [head])


async def save_heads(connection: Connection, heads: Sequence[SignedHead]) -> None:
    """Keep heads that were signed, but for those of which there is one already."""
    for head in heads:
        done = await connection.execute(
            """
            INSERT INTO audit.heads (chain, partition, size, root, last_hash, signed_at, key_id, signature)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (chain, partition, size) DO NOTHING
            """,
            *head.row(),
        )
        if done == "INSERT 0 1":
            HEADS.labels(head.chain).inc()


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
