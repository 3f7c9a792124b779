"""The audit trail as others meet it: what an entry says, signed heads, and the form that hashes cover.

An entry names people by their ids alone. No name, address or free text, sealed or not, has a field here.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from contracts.fields import Instant, Model, Whole, rfc3339
from contracts.topics import EVENTS, SECURITY_EVENTS

PARTITION_MAX = 2**15 - 1
NUMBER_MAX = 2**63 - 1

Partition = Annotated[Whole, Field(ge=0, le=PARTITION_MAX)]
Number = Annotated[Whole, Field(ge=1, le=NUMBER_MAX)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


class Chain(StrEnum):
    """What is chained: the events of one topic, a chain per partition."""

    BOOKING = "booking"
    SECURITY = "security"


CHAINED = {Chain.BOOKING: EVENTS, Chain.SECURITY: SECURITY_EVENTS}
"""The topic whose events a chain keeps."""


class About(Model):
    """Whom and what an entry is about."""

    appointment_id: UUID | None
    doctor_id: UUID | None
    patient_id: UUID | None


class Who(Model):
    """Who acted. No id where nobody is known, as for a login that failed."""

    id: UUID | None
    kind: str


class Effect(Model):
    """What the event alone tells of the state before and after it: times, doctor, status, codes."""

    after: dict[str, Any] | None
    before: dict[str, Any] | None


class EventPlace(Model):
    """The event itself and where it stands. `sequence` is None on a topic whose events have none."""

    id: UUID
    offset: Whole
    partition: Whole
    sequence: Whole | None
    topic: str


class CommandPlace(Model):
    """Where the command stands that the event came of."""

    offset: Whole
    partition: Whole
    topic: str


class Content(Model):
    """What an entry says, and its hash covers. The names sort so that what has a column comes first.

    `at` is the broker time of the command (of a security event: the event's own time), `request_id` the
    trace id of W3C Trace Context, `reason` a refusal's or failure's code and `count` its number.
    """

    about: About
    action: str
    actor: Who
    at: Instant
    command_id: UUID | None
    command_type: str | None
    count: Whole | None
    effect: Effect | None
    event: EventPlace
    reason: str | None
    request_id: str | None
    source: CommandPlace | None


class Head(Model):
    """The state of a chain at `size` entries: the hash of the last, and the root of the Merkle tree over all
    (RFC 9162, section 2.1; the leaves are the entries' hashes). Both in hex."""

    chain: Chain
    last_hash: Hex
    partition: Partition
    root: Hex
    signed_at: Instant
    size: Number

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return canonical(
            {
                "chain": self.chain,
                "kind": "clinic.audit.head.v1",
                "last_hash": self.last_hash,
                "partition": self.partition,
                "root": self.root,
                "signed_at": rfc3339(self.signed_at),
                "size": self.size,
            }
        )


class SignedHead(Head):
    """A head with its signature (Ed25519, hex). `key_id` tells which key."""

    key_id: str
    signature: Hex

    @classmethod
    def from_row(cls, row: Any) -> "SignedHead":
        """From a row of `audit.heads` or `audit.chains`, by column."""
        return cls(
            chain=Chain(row["chain"]),
            partition=row["partition"],
            size=row["size"],
            root=row["root"].hex(),
            last_hash=row["last_hash"].hex(),
            signed_at=row["signed_at"],
            key_id=row["key_id"],
            signature=row["signature"].hex(),
        )

    def row(self) -> tuple[Any, ...]:
        """For these tables: chain, partition, size, root, last_hash, signed_at, key_id, signature."""
        root, last_hash, signature = map(bytes.fromhex, (self.root, self.last_hash, self.signature))
        return (
            self.chain,
            self.partition,
            self.size,
            root,
            last_hash,
            self.signed_at,
            self.key_id,
            signature,
        )


class HeadFile(Model):
    """What `clinic audit head` prints: a head of every chain, to keep elsewhere."""

    heads: tuple[SignedHead, ...]


class Stub(Model):
    """What stays of a stretch of dropped entries: `hashes_hash` is the SHA-256 over all their hashes."""

    chain: Chain
    first_number: Whole
    hashes_hash: str
    last_number: Whole
    month: str
    partition: Whole
    signed_at: Instant

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return canonical(
            {
                "chain": self.chain,
                "first_number": self.first_number,
                "hashes_hash": self.hashes_hash,
                "kind": "clinic.audit.stub.v1",
                "last_number": self.last_number,
                "month": self.month,
                "partition": self.partition,
                "signed_at": rfc3339(self.signed_at),
            }
        )


class InclusionProof(Model):
    """That an entry is in the tree of a head (RFC 9162, section 2.1.3), and what it says. Its hash covers
    `previous_hash` and the canonical JSON of `content`. Hashes in hex, from leaf to root."""

    content: dict[str, Any]
    head: SignedHead
    number: Number
    path: tuple[Hex, ...]
    previous_hash: Hex


class ConsistencyProof(Model):
    """That the entries of an earlier head are the first ones of `head` (RFC 9162, section 2.1.4)."""

    earlier: SignedHead
    head: SignedHead
    path: tuple[Hex, ...]


class ConsistencyProofs(Model):
    """What `clinic audit prove --from` prints: one for every head of the file."""

    proofs: tuple[ConsistencyProof, ...]


def key_id(public_key: bytes) -> str:
    """The name of an Ed25519 public key (its 32 bytes): half of its SHA-256, in hex."""
    return sha256(public_key).hexdigest()[:32]


# For texts, whole numbers below 2^53, null and what is made of them under ASCII names, this is RFC 8785, at a
# sixth of the time that a general implementation takes; a test compares the two.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON (RFC 8785). No fractions, and only ASCII in names."""
    return _encode(value).encode()
