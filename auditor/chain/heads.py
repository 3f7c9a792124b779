"""Periodic heads: a chain that has grown is signed at least every minute."""

from collections.abc import Sequence

import asyncpg

from auditor.chain.ends import EndError, load_end, moment, save_end
from auditor.chain.signing import Signer, TrustedKeys
from auditor.metrics import END_BROKEN, HEADS
from contracts.audit import Chain, SignedHead
from infra.postgres import Connection


async def sign_new_heads(pool: asyncpg.Pool, signer: Signer, keys: TrustedKeys) -> None:
    """Sign a head of every chain that has grown since its last head, or whose end another trusted key signed.

    Raises:
        EndError: none of the keys signed the end of some chains; heads of the others are signed.
        OUTAGES, CONFLICTS: of `infra.postgres`; heads signed before that stay.
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
    """Store signed heads; one of a size that already has a head is ignored."""
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
