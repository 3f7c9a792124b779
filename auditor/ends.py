"""Where the chains end: a signed head that moves with the entries, so that nothing can be put behind it."""

from datetime import datetime
from typing import Any

from auditor.chain import ChainEnd
from auditor.merkle import Tree
from auditor.signing import TrustedKeys
from contracts.audit import Chain, SignedHead
from infra import clock
from infra.errors import ClinicError
from infra.postgres import Connection
from infra.progress import StopError


class EndError(StopError, ClinicError):
    """The chain does not end as it was signed: nothing is added to it or signed of it."""


async def load_end(connection: Connection, chain: Chain, partition: int, keys: TrustedKeys) -> ChainEnd:
    """Where the chain ends; locked until the transaction does.

    Raises:
        EndError: none of the keys signed this.
    """
    row = await connection.fetchrow(
        "SELECT * FROM audit.chains WHERE chain = $1 AND partition = $2 FOR UPDATE", *(chain, partition)
    )
    return read_end(row, chain, partition, keys)


def read_end(row: Any, chain: Chain, partition: int, keys: TrustedKeys) -> ChainEnd:
    """The end that a row of `audit.chains` tells; without one, that of a chain without entries.

    Raises:
        EndError: none of the keys signed this.
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
    """Now, but never before what is signed already: so the times of a chain do not go back when clocks do."""
    return max(clock.now(), end.signed_at)


async def save_end(connection: Connection, end: ChainEnd, head: SignedHead) -> None:
    """Keep where the chain ends; `head` is signed of it."""
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
