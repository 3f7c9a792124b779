"""The hash chain: each entry's hash covers the one before it and its own content.

The first entry follows a hash that names the chain and its partition, so that no entry fits anywhere else.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from auditor.merkle import Tree
from contracts.audit import Chain

ENTRY_PREFIX = b"clinic.audit.entry.v1\n"
CHAIN_PREFIX = b"clinic.audit.chain.v1\n"
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def first_hash(chain: Chain, partition: int) -> bytes:
    """What stands in for the hash before the first entry."""
    return sha256(CHAIN_PREFIX + f"{chain}/{partition}".encode()).digest()


def entry_hash(before: bytes, content: bytes) -> bytes:
    """The hash of an entry; `content` is its canonical JSON, `before` the previous entry's hash."""
    return sha256(ENTRY_PREFIX + before + content).digest()


@dataclass
class ChainEnd:
    """Where a chain ends: what is needed to go on with it. `signed_at` is when its end was signed last."""

    chain: Chain
    partition: int
    last_hash: bytes
    tree: Tree
    signed_at: datetime = LONG_AGO

    @classmethod
    def empty(cls, chain: Chain, partition: int) -> "ChainEnd":
        """A chain without entries."""
        return cls(chain, partition, first_hash(chain, partition), Tree())

    @property
    def size(self) -> int:
        """The number of entries, and of the last one."""
        return self.tree.size

    def append(self, content: bytes) -> bytes:
        """Chain an entry; returns its hash."""
        self.last_hash = entry_hash(self.last_hash, content)
        self.tree.append(self.last_hash)
        return self.last_hash
