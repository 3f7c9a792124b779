"""Files of Ed25519 keys: one key of the audit trail, or all those of access tokens."""

import asyncio
import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import OKPAlgorithm

from infra.errors import MisconfiguredError

LOOK_INTERVAL_S = 5.0
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)

_log = structlog.get_logger(__name__)


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 private key, PKCS #8 PEM: the first one of the file.

    Raises:
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):  # TypeError: it is encrypted
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise MisconfiguredError(f"{path} does not hold the signing key (Ed25519, PKCS #8 PEM).")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """The `kid` of a key: its JWK thumbprint (RFC 7638; for Ed25519: RFC 8037, appendix A.3)."""
    jwk = OKPAlgorithm.to_jwk(key, as_dict=True)
    required = {name: jwk[name] for name in ("crv", "kty", "x")}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
    return urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


class SigningKeys:
    """The keys of access tokens, by key id: the one that signs, the next one, and earlier ones.

    The file is a list of PEM blocks: the private key that signs, the private key that will sign after the
    next rotation, and the public keys that signed before. The next one is known everywhere before it signs.
    """

    def __init__(self, signing: Ed25519PrivateKey, others: Sequence[Ed25519PublicKey] = ()) -> None:
        self.signing = signing
        self.public = {key_id(key): key for key in (signing.public_key(), *others)}

    @classmethod
    def load(cls, path: Path) -> "SigningKeys":
        """Read the file.

        Raises:
            MisconfiguredError: it is missing, or a part of it is no Ed25519 key.
        """
        signing = load_signing_key(path)
        _, *blocks = pem_blocks(path.read_bytes())
        return cls(signing, [_public(path, block) for block in blocks])

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517, section 5)."""
        use = {"use": "sig", "alg": "EdDSA"}
        return {
            "keys": [
                {**OKPAlgorithm.to_jwk(key, as_dict=True), "kid": id_, **use}
                for id_, key in self.public.items()
            ]
        }

    async def watch(self, path: Path) -> None:
        """Read the file again whenever it has changed, until cancelled. One that cannot be read is no
        change."""
        seen = _version(path)
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            version = _version(path)
            if version == seen:
                continue
            seen = version
            try:
                new = self.load(path)
            except MisconfiguredError as error:
                _log.error("the new signing keys cannot be read, the earlier ones stay", error=str(error))
                continue
            self.signing, self.public = new.signing, new.public
            _log.info("signing keys were changed", keys=list(self.public))


def pem_blocks(content: bytes) -> list[bytes]:
    """The PEM blocks of a file (RFC 7468), in order."""
    return [block[0] for block in _PEM.finditer(content)]


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _public(path: Path, block: bytes) -> Ed25519PublicKey:
    try:
        if b"PUBLIC KEY" in block:
            key: object = load_pem_public_key(block)
        else:
            key = load_pem_private_key(block, password=None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, Ed25519PrivateKey):
        return key.public_key()
    if isinstance(key, Ed25519PublicKey):
        return key
    raise MisconfiguredError(f"{path} has a part that is no Ed25519 key in PEM.")
