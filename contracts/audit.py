"""The public format of the audit trail: entries, signed heads, proofs, and the canonical JSON that is hashed.

An entry refers to people by id only. No field can hold a name, an address or free text, encrypted or not.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictInt

from contracts.fields import Instant, Model, rfc3339
from contracts.topics import EVENTS_TOPIC, SECURITY_EVENTS_TOPIC

PARTITION_MAX = 2**15 - 1
NUMBER_MAX = 2**63 - 1

Partition = Annotated[StrictInt, Field(ge=0, le=PARTITION_MAX)]
Number = Annotated[StrictInt, Field(ge=1, le=NUMBER_MAX)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


class Chain(StrEnum):
    """The topics with an audit trail; each of their partitions has a chain."""

    BOOKING = "booking"
    SECURITY = "security"


CHAINED = {Chain.BOOKING: EVENTS_TOPIC, Chain.SECURITY: SECURITY_EVENTS_TOPIC}
"""The topic whose events a chain records."""


class About(Model):
    """The subjects of an entry."""

    appointment_id: UUID | None
    doctor_id: UUID | None
    patient_id: UUID | None


class Who(Model):
    """The actor. `id` is None if it is unknown, as for a failed login."""

    id: UUID | None
    kind: str


class Effect(Model):
    """The state before and after the event, as far as the event contains it: times, doctor, status, codes."""

    after: dict[str, Any] | None
    before: dict[str, Any] | None


class EventPlace(Model):
    """The event and its position. `sequence` is None on a topic whose events have none."""

    id: UUID
    offset: StrictInt
    partition: StrictInt
    sequence: StrictInt | None
    topic: str


class CommandPlace(Model):
    """The position of the command that caused the event."""

    offset: StrictInt
    partition: StrictInt
    topic: str


class Content(Model):
    """The content of an entry, which its hash covers. The names sort so that those with a column come first.

    `at` is the broker time of the command (of a security event: the event's own time), `request_id` the
    trace id of W3C Trace Context, `reason` a refusal's or failure's code and `count` its number.
    """

    about: About
    action: str
    actor: Who
    at: Instant
    command_id: UUID | None
    command_type: str | None
    count: StrictInt | None
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
    """A head with its signature (Ed25519, hex) and the id of its key."""

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
    """The output of `clinic audit head`: a head of every chain, to keep elsewhere."""

    heads: tuple[SignedHead, ...]


class Stub(Model):
    """The signed remainder of consecutive dropped entries; `hashes_hash` is the SHA-256 of all their
    hashes."""

    chain: Chain
    first_number: StrictInt
    hashes_hash: str
    last_number: StrictInt
    month: str
    partition: StrictInt
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
    """A proof that an entry is in the tree of a head (RFC 9162, section 2.1.3), with its content. The entry's
    hash covers `previous_hash` and the canonical JSON of `content`. Hashes in hex, from leaf to root."""

    content: dict[str, Any]
    head: SignedHead
    number: Number
    path: tuple[Hex, ...]
    previous_hash: Hex


class ConsistencyProof(Model):
    """A proof that the entries of an earlier head are the first ones of `head` (RFC 9162, section 2.1.4)."""

    earlier: SignedHead
    head: SignedHead
    path: tuple[Hex, ...]


class ConsistencyProofs(Model):
    """The output of `clinic audit prove --from`: a proof for every head in the file."""

    proofs: tuple[ConsistencyProof, ...]


def key_id(public_key: bytes) -> str:
    """The name of an Ed25519 public key (its 32 bytes): half of its SHA-256, in hex."""
    return sha256(public_key).hexdigest()[:32]


# For strings, integers below 2^53, null, and objects and arrays of these with ASCII names, this is RFC 8785,
# in a sixth of the time of a general implementation. A test compares the two.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON (RFC 8785), without fractions and with ASCII names only."""
    return _encode(value).encode()
