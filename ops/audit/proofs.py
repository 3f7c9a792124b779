"""Proofs against signed heads: made from the trail, checked with nothing but a public key."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from auditor.chain.hash_chain import entry_hash
from auditor.chain.merkle import (
    Roots,
    Stretch,
    Tree,
    consistency_holds,
    consistency_stretches,
    inclusion_holds,
    inclusion_stretches,
)
from auditor.chain.signing import TrustedKeys
from auditor.reading import hash_of, hashes, read_in_order
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
from ops.connections import database

_proof_file = TypeAdapter[InclusionProof | ConsistencyProofs](InclusionProof | ConsistencyProofs)


class NoProofError(ClinicError):
    """There is nothing to prove, or the trail contradicts its head."""


async def prove(settings: Settings, chain: Chain, partition: int, number: int) -> InclusionProof:
    """A valid proof that an entry is in the tree of the chain's latest head.

    Raises:
        NoProofError: no head covers the entry, it was dropped, or an entry does not match the head.
        ClinicError: Postgres is unavailable.
    """
    async with _snapshot(settings) as connection:
        head = await _latest(connection, chain, partition, number)
        content: str | None = await connection.fetchval(
            "SELECT content FROM audit.entries WHERE chain = $1 AND partition = $2 AND number = $3",
            chain,
            partition,
            number,
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
    """Valid proofs that the entries of earlier heads are the first ones of the latest heads.

    Raises:
        NoProofError: the trail does not begin with the entries of an earlier head.
        ClinicError: Postgres is unavailable.
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
        database(settings.auditor_dsn, "clinic-audit") as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await read_in_order(connection)
        yield connection


async def _latest(connection: Connection, chain: Chain, partition: int, size: int) -> SignedHead:
    row = await connection.fetchrow(
        "SELECT * FROM audit.heads WHERE chain = $1 AND partition = $2 AND size >= $3 "
        "ORDER BY size DESC LIMIT 1",
        chain,
        partition,
        size,
    )
    if row is None:
        raise NoProofError(f"No head of {chain}/{partition} covers entry {size}.")
    return SignedHead.from_row(row)


async def _path(connection: Connection, head: SignedHead, stretches: Sequence[Stretch]) -> list[bytes]:
    roots, tree = Roots(stretches), Tree()
    async for hash_ in hashes(connection, head.chain, head.partition, head.size):
        roots.take(hash_)
        tree.append(hash_)
    if tree.root().hex() != head.root:
        raise NoProofError(
            f"The first {head.size} entries of {head.chain}/{head.partition} are not those of their head: "
            "run `clinic audit verify`."
        )
    return roots.found()


def check(path: Path, keys: TrustedKeys) -> list[str]:
    """A sentence for each proof in a file of `prove` or `prove_growth`; needs only the file and the keys.

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
    for growth in proof.proofs:
        _demand(path, keys, growth_holds(growth), growth.earlier, growth.head)
    return [
        f"The first {growth.earlier.size} of {_named(growth.head)} are as before." for growth in proof.proofs
    ]


def _demand(path: Path, keys: TrustedKeys, holds: bool, *heads: SignedHead) -> None:
    for head in heads:
        if not keys.signed_head(head):
            raise NoProofError(f"No trusted key signed the head of {_named(head)} in {path}.")
    if not holds:
        raise NoProofError(f"{path} does not prove what it says of {_named(heads[-1])}.")


def proof_holds(proof: InclusionProof) -> bool:
    """True if the proof shows that the entry is in the head's tree. Does not check the head's signature."""
    hash_ = entry_hash(bytes.fromhex(proof.previous_hash), canonical(proof.content))
    root = bytes.fromhex(proof.head.root)
    return inclusion_holds(proof.number - 1, proof.head.size, hash_, _bytes(proof.path), root)


def growth_holds(proof: ConsistencyProof) -> bool:
    """True if the proof shows that the earlier head's entries are the later head's first; see
    `proof_holds`."""
    old, new = proof.earlier, proof.head
    return (old.chain, old.partition) == (new.chain, new.partition) and consistency_holds(
        old.size, new.size, _bytes(proof.path), bytes.fromhex(old.root), bytes.fromhex(new.root)
    )


def _named(head: SignedHead) -> str:
    at = f"{head.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"the {head.size} entries of {head.chain}/{head.partition}, signed at {at},"


def _hex(path: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(hash_.hex() for hash_ in path)


def _bytes(path: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(hash_) for hash_ in path]
