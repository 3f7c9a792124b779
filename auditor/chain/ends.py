"""The signed end of each chain. It moves with every append, so that no entry can be added unnoticed."""

from datetime import datetime
from typing import Any

from auditor.chain.hash_chain import ChainEnd
from auditor.chain.merkle import Tree
from auditor.chain.signing import TrustedKeys
from contracts.audit import Chain, SignedHead
from infra import clock
from infra.errors import StopError
from infra.postgres import Connection


class EndError(StopError):
    """The end of a chain is not the signed one: nothing is appended to it or signed for it."""


async def load_end(connection: Connection, chain: Chain, partition: int, keys: TrustedKeys) -> ChainEnd:
    """The end of the chain, locked until the transaction ends.

    Raises:
        EndError: none of the keys signed it.
    """
    row = await connection.fetchrow(
        "SELECT * FROM audit.chains WHERE chain = $1 AND partition = $2 FOR UPDATE", chain, partition
    )
    return read_end(row, chain, partition, keys)


def read_end(row: Any, chain: Chain, partition: int, keys: TrustedKeys) -> ChainEnd:
    """The end in a row of `audit.chains`; without a row, the end of an empty chain.

    Raises:
        EndError: none of the keys signed it.
    """
    if row is None:
        return ChainEnd.empty(chain, partition)
    broken = EndError(f"No trusted key signed the end of {chain}/{partition}.")
    try:
        head, tree = SignedHead.from_row(row), Tree(row["size"], row["frontier"])
    except ValueError:
        raise broken from None
    if not keys.signed_head(head) or tree.root().hex() != head.root:
        raise broken
    return ChainEnd(chain, partition, row["last_hash"], tree, head.signed_at)


def moment(end: ChainEnd) -> datetime:
    """Now, but never before the last signature, so that a chain's times do not go back when a clock does."""
    return max(clock.now(), end.signed_at)


async def save_end(connection: Connection, end: ChainEnd, head: SignedHead) -> None:
    """Store the end of the chain and its signed `head`."""
    await connection.execute(
        """
        INSERT INTO audit.chains
            (chain, partition, size, root, last_hash, signed_at, key_id, signature, frontier)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (chain, partition) DO UPDATE
        SET size = excluded.size, root = excluded.root, last_hash = excluded.last_hash,
            signed_at = excluded.signed_at, key_id = excluded.key_id, signature = excluded.signature,
            frontier = excluded.frontier
        """,
        *head.row(),
        end.tree.frontier(),
    )
