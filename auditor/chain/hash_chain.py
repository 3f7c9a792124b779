"""The hash chain: each entry's hash covers the one before it and its own content.

The first entry follows a hash of the chain's name and partition, so that an entry is valid in one chain only.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from auditor.chain.merkle import Tree
from contracts.audit import Chain

ENTRY_PREFIX = b"clinic.audit.entry.v1\n"
CHAIN_PREFIX = b"clinic.audit.chain.v1\n"
NEVER_SIGNED = datetime.min.replace(tzinfo=UTC)


def first_hash(chain: Chain, partition: int) -> bytes:
    """The initial hash of a chain, which the first entry follows."""
    return sha256(CHAIN_PREFIX + f"{chain}/{partition}".encode()).digest()


def entry_hash(before: bytes, content: bytes) -> bytes:
    """The hash of an entry; `content` is its canonical JSON, `before` the previous entry's hash."""
    return sha256(ENTRY_PREFIX + before + content).digest()


@dataclass
class ChainEnd:
    """The state needed to append to a chain. `signed_at` is when its end was last signed."""

    chain: Chain
    partition: int
    last_hash: bytes
    tree: Tree
    signed_at: datetime = NEVER_SIGNED

    @classmethod
    def empty(cls, chain: Chain, partition: int) -> "ChainEnd":
        """A chain without entries."""
        return cls(chain, partition, first_hash(chain, partition), Tree())

    @property
    def size(self) -> int:
        """The number of entries, which is the number of the last one."""
        return self.tree.size

    def append(self, content: bytes) -> bytes:
        """Append an entry. Returns its hash."""
        self.last_hash = entry_hash(self.last_hash, content)
        self.tree.append(self.last_hash)
        return self.last_hash
