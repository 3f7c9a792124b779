"""Audit trail rows in the form that the CLI and the ingress share."""

from typing import Any

import asyncpg

from contracts.audit import Chain, SignedHead
from contracts.fields import rfc3339


async def latest_heads(pool: asyncpg.Pool, chain: Chain | None = None) -> list[SignedHead]:
    """The newest signed head of every chain, or of the partitions of one."""
    rows = await pool.fetch(
        """
        SELECT h.* FROM audit.chains c
        CROSS JOIN LATERAL (
            SELECT * FROM audit.heads h WHERE h.chain = c.chain AND h.partition = c.partition
            ORDER BY h.size DESC LIMIT 1
        ) AS h
        WHERE $1::text IS NULL OR c.chain = $1
        ORDER BY h.chain, h.partition
        """,
        chain,
    )
    return [SignedHead.from_row(row) for row in rows]


def entry_line(chain: Chain, partition: int, row: Any) -> str:
    """An entry as a line of NDJSON. Its `content` is already JSON, byte for byte as hashed (RFC 8785)."""
    return (
        f'{{"chain":"{chain}","partition":{partition},"number":{row["number"]},'
        f'"recorded_at":"{rfc3339(row["recorded_at"])}","hash":"{row["hash"].hex()}",'
        f'"content":{row["content"]}}}\n'
    )
