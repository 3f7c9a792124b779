"""Signatures of heads and stubs: Ed25519 (RFC 8032), with a key that signs nothing else."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from auditor.chain.hash_chain import ChainEnd
from contracts.audit import Chain, Head, SignedHead, Stub, key_id
from infra.errors import MisconfiguredError
from infra.signing_keys import load_signing_key


class Signer:
    """Signs with the audit key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id(key.public_key().public_bytes_raw())

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Read the key, PKCS #8 PEM.

        Raises:
            MisconfiguredError: the file is missing or holds something else.
        """
        return cls(load_signing_key(path))

    def head(self, end: ChainEnd, now: datetime) -> SignedHead:
        """A signed head of the chain at this end."""
        head = Head(
            chain=end.chain,
            partition=end.partition,
            size=end.size,
            root=end.tree.root().hex(),
            last_hash=end.last_hash.hex(),
            signed_at=now,
        )
        return SignedHead(**dict(head), key_id=self.key_id, signature=self.sign(head).hex())

    def sign(self, signable: Head | Stub) -> bytes:
        """The signature."""
        return self._key.sign(signable.signed_bytes())

    def public(self) -> "TrustedKeys":
        """The public key that verifies these signatures."""
        return TrustedKeys([self._key.public_key().public_bytes_raw()])


class TrustedKeys:
    """The public keys whose signatures are trusted: the current one and earlier ones."""

    def __init__(self, public_keys: Iterable[bytes]) -> None:
        """Ed25519 public keys, 32 bytes each."""
        self.public_keys = tuple(public_keys)
        self._by_id = {key_id(raw): Ed25519PublicKey.from_public_bytes(raw) for raw in self.public_keys}

    def signed(self, signable: Head | Stub, key_id: str, signature: bytes) -> bool:
        """True if one of the keys made this signature."""
        key = self._by_id.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, signable.signed_bytes())
        except InvalidSignature:
            return False
        return True

    def signed_head(self, head: SignedHead) -> bool:
        """True if one of the keys signed this head."""
        return self.signed(head, head.key_id, bytes.fromhex(head.signature))


def load_public_key(path: Path) -> bytes:
    """Read an Ed25519 public key, PEM; from a private key's file, its public half.

    Raises:
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError):
        return load_signing_key(path).public_key().public_bytes_raw()
    if not isinstance(key, Ed25519PublicKey):
        raise MisconfiguredError(f"{path} does not hold an Ed25519 key.")
    return key.public_bytes_raw()


def stub_of(
    chain: Chain, partition: int, first_number: int, hashes: bytes, month: str, now: datetime
) -> Stub:
    """The stub of consecutive dropped entries; `hashes` are all their hashes, in order."""
    return Stub(
        chain=chain,
        partition=partition,
        first_number=first_number,
        last_number=first_number + len(hashes) // 32 - 1,
        hashes_hash=sha256(hashes).hexdigest(),
        month=month,
        signed_at=now,
    )
