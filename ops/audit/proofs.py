"""Proofs against signed heads, made of the trail, and checked by whoever has no more than a public key."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from auditor.chain import entry_hash
from auditor.merkle import (
    Roots,
    Stretch,
    Tree,
    consistency_holds,
    consistency_stretches,
    inclusion_holds,
    inclusion_stretches,
)
from auditor.reading import hash_of, hashes, in_order
from auditor.signing import TrustedKeys
from contracts.audit import (
    Chain,
    ConsistencyProof,
    ConsistencyProofs,
    HeadFile,
    InclusionProof,
    SignedHead,
    canonical,
)
from infra.errors import ClinicError, MisconfiguredError
from infra.postgres import Connection
from infra.settings import Settings
from ops.audit.connection import trail

_proof_file = TypeAdapter[InclusionProof | ConsistencyProofs](InclusionProof | ConsistencyProofs)


class NoProofError(ClinicError):
    """There is nothing to prove, or the trail does not fit its head."""


async def prove(settings: Settings, chain: Chain, partition: int, number: int) -> InclusionProof:
    """The proof that an entry is in the tree of the chain's latest head; it holds.

    Raises:
        NoProofError: no head covers the entry, it is gone, or it or another is not that of the head.
        ClinicError: Postgres is away.
    """
    async with _snapshot(settings) as connection:
        head = await _latest(connection, chain, partition, number)
        content: str | None = await connection.fetchval(
            "SELECT content FROM audit.entries WHERE chain = $1 AND partition = $2 AND number = $3",
            *(chain, partition, number),
        )
        if content is None:
            raise NoProofError(f"Entry {number} of {chain}/{partition} was dropped, or is missing.")
        before = await hash_of(connection, chain, partition, number - 1)
        path = await _path(connection, head, inclusion_stretches(number - 1, head.size))
    hash_ = entry_hash(before, content.encode())
    if not inclusion_holds(number - 1, head.size, hash_, path, bytes.fromhex(head.root)):
        raise NoProofError(f"Entry {number} of {chain}/{partition} is not what its hash covers.")
    return InclusionProof(
        content=json.loads(content), head=head, number=number, path=_hex(path), previous_hash=before.hex()
    )


async def prove_growth(settings: Settings, earlier: HeadFile) -> ConsistencyProofs:
    """The proofs that the entries of earlier heads are the first ones of the latest heads; they hold.

    Raises:
        NoProofError: the trail does not begin with the entries of an earlier head.
        ClinicError: Postgres is away.
    """
    async with _snapshot(settings) as connection:
        return ConsistencyProofs(proofs=tuple([await _growth(connection, head) for head in earlier.heads]))


async def _growth(connection: Connection, earlier: SignedHead) -> ConsistencyProof:
    head = await _latest(connection, earlier.chain, earlier.partition, earlier.size)
    path = await _path(connection, head, consistency_stretches(earlier.size, head.size))
    proof = ConsistencyProof(earlier=earlier, head=head, path=_hex(path))
    if not growth_holds(proof):
        raise NoProofError(
            f"{earlier.chain}/{earlier.partition} does not begin with the {earlier.size} entries of then."
        )
    return proof


@contextlib.asynccontextmanager
async def _snapshot(settings: Settings) -> AsyncIterator[Connection]:
    async with (
        trail(settings) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await in_order(connection)
        yield connection


async def _latest(connection: Connection, chain: Chain, partition: int, size: int) -> SignedHead:
    row = await connection.fetchrow(
        "SELECT * FROM audit.heads WHERE chain = $1 AND partition = $2 AND size >= $3 "
        "ORDER BY size DESC LIMIT 1",
        *(chain, partition, size),
    )
    if row is None:
        raise NoProofError(f"No head of {chain}/{partition} covers entry {size}.")
    return SignedHead.from_row(row)


async def _path(connection: Connection, head: SignedHead, stretches: Sequence[Stretch]) -> list[bytes]:
    roots, tree = Roots(stretches), Tree()
    async for one in hashes(connection, head.chain, head.partition, head.size):
        roots.take(one)
        tree.append(one)
    if tree.root().hex() != head.root:
        raise NoProofError(
            f"The first {head.size} entries of {head.chain}/{head.partition} are not those of their head: "
            "run `clinic audit verify`."
        )
    return roots.found()


def check(path: Path, keys: TrustedKeys) -> list[str]:
    """What a file of `prove` or `prove_growth` shows, a sentence each; needs no more than the file and keys.

    Raises:
        NoProofError: a proof does not hold, or no trusted key signed its head.
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        proof = _proof_file.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MisconfiguredError(f"{path} does not hold what `clinic audit prove` prints.") from None
    if isinstance(proof, InclusionProof):
        _demand(path, keys, proof_holds(proof), proof.head)
        return [f"Entry {proof.number} of {_named(proof.head)} says what the proof says."]
    for one in proof.proofs:
        _demand(path, keys, growth_holds(one), one.earlier, one.head)
    return [f"The first {one.earlier.size} of {_named(one.head)} are as before." for one in proof.proofs]


def _demand(path: Path, keys: TrustedKeys, holds: bool, *heads: SignedHead) -> None:
    for head in heads:
        if not keys.signed_head(head):
            raise NoProofError(f"No trusted key signed the head of {_named(head)} in {path}.")
    if not holds:
        raise NoProofError(f"{path} does not prove what it says of {_named(heads[-1])}.")


def proof_holds(proof: InclusionProof) -> bool:
    """Whether the proof shows that the entry is in the head's tree; whether the head is genuine, its
    signature tells."""
    hash_ = entry_hash(bytes.fromhex(proof.previous_hash), canonical(proof.content))
    root = bytes.fromhex(proof.head.root)
    return inclusion_holds(proof.number - 1, proof.head.size, hash_, _bytes(proof.path), root)


def growth_holds(proof: ConsistencyProof) -> bool:
    """Whether the proof shows that the one head's entries are the other's first ones; see `proof_holds`."""
    old, new = proof.earlier, proof.head
    return (old.chain, old.partition) == (new.chain, new.partition) and consistency_holds(
        old.size, new.size, _bytes(proof.path), bytes.fromhex(old.root), bytes.fromhex(new.root)
    )


def _named(head: SignedHead) -> str:
    at = f"{head.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"the {head.size} entries of {head.chain}/{head.partition}, signed at {at},"


def _hex(path: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(one.hex() for one in path)


def _bytes(path: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in path]
