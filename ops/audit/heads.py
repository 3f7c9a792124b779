"""Signed heads to keep elsewhere, and proofs against them."""

from pathlib import Path

from pydantic import ValidationError

from auditor.heads import latest_heads, sign_what_is_new
from auditor.merkle import Roots, inclusion_holds, inclusion_stretches
from auditor.reading import hashes, in_order
from auditor.signing import Signer
from contracts.audit import Chain, HeadFile, InclusionProof, SignedHead
from infra.errors import ClinicError, MisconfiguredError
from infra.postgres import Connection
from infra.settings import Settings
from ops.audit.connection import trail


class NoProofError(ClinicError):
    """There is nothing to prove, or the trail does not fit its head."""


async def signed_now(settings: Settings) -> HeadFile:
    """A head of every chain as it is now.

    Raises:
        ClinicError: Postgres or the audit key is away.
    """
    signer = Signer.load(settings.audit_key_file)
    async with trail(settings) as pool:
        await sign_what_is_new(pool, signer)
        return HeadFile(heads=tuple(await latest_heads(pool)))


def read_head_file(path: Path) -> HeadFile:
    """What `clinic audit head` printed.

    Raises:
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        return HeadFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MisconfiguredError(f"{path} does not hold what `clinic audit head` prints.") from None


async def prove(settings: Settings, chain: Chain, partition: int, number: int) -> InclusionProof:
    """The proof that an entry is in the tree of the chain's latest head; it was checked.

    Raises:
        NoProofError: no head covers the entry, or the hashes do not make up the head's root.
        ClinicError: Postgres is away.
    """
    async with (
        trail(settings) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await in_order(connection)
        row = await connection.fetchrow(
            "SELECT * FROM audit.heads WHERE chain = $1 AND partition = $2 AND size >= $3 "
            "ORDER BY size DESC LIMIT 1",
            *(chain, partition, number),
        )
        if row is None:
            raise NoProofError(f"No head of {chain}/{partition} covers entry {number}.")
        return await _proof(connection, SignedHead.from_row(row), number)


async def _proof(connection: Connection, head: SignedHead, number: int) -> InclusionProof:
    index, entry = number - 1, b""
    roots = Roots(inclusion_stretches(index, head.size))
    async for one in hashes(connection, head.chain, head.partition, head.size):
        if roots.taken == index:
            entry = one
        roots.take(one)
    if roots.taken < head.size:
        raise NoProofError(f"Entry {roots.taken + 1} of {head.chain}/{head.partition} is missing.")
    path = roots.found()
    if not inclusion_holds(index, head.size, entry, path, bytes.fromhex(head.root)):
        raise NoProofError(
            f"The first {head.size} entries of {head.chain}/{head.partition} are not those of their head: "
            "run `clinic audit verify`."
        )
    return InclusionProof(
        number=number, entry_hash=entry.hex(), head=head, path=tuple(one.hex() for one in path)
    )


def proof_holds(proof: InclusionProof) -> bool:
    """Whether the proof shows that the entry is in the head's tree; whether the head is genuine, its
    signature tells."""
    path = [bytes.fromhex(one) for one in proof.path]
    entry, root = bytes.fromhex(proof.entry_hash), bytes.fromhex(proof.head.root)
    return inclusion_holds(proof.number - 1, proof.head.size, entry, path, root)
