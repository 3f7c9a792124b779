"""An authenticator in software (WebAuthn), and the browser that it is in. It can be told to do wrong."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Self

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256

from infra import clock
from infra.crypto.sealing import from_base64url, to_base64url

PRESENT, VERIFIED, MAY_BE_COPIED, IS_COPIED, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40
ES256 = -7


@dataclass
class Key:
    """A discoverable credential."""

    id: bytes
    private: EllipticCurvePrivateKey
    user_handle: bytes
    sign_count: int = 0

    def cose(self) -> bytes:
        """The public key (RFC 9053, section 7.1.1)."""
        numbers = self.private.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: x, -3: y})


@dataclass
class Authenticator:
    """Holds keys. `rp_id`: what it signs for, unless the options say so."""

    origin: str
    rp_id: str | None = None
    is_verified: bool = True
    is_synced: bool = False
    counts: bool = True
    is_framed: bool = False
    type: str | None = None
    keys: list[Key] = field(default_factory=list)

    def doing(self, **changed: Any) -> Self:
        """The same authenticator, with the same keys, that does something else."""
        return replace(self, **changed)

    def create(self, options: Any, id_: bytes | None = None) -> dict[str, Any]:
        """`navigator.credentials.create()`, by `toJSON()`. The id of the key is random unless given."""
        user_handle = _bytes(options["user"]["id"])
        known = {_bytes(excluded["id"]) for excluded in options["excludeCredentials"]}
        assert not known & {key.id for key in self.keys}, "a browser says InvalidStateError"
        key = Key(id_ or clock.new_secret(16), generate_private_key(SECP256R1()), user_handle)
        self.keys.append(key)
        attested = bytes(16) + len(key.id).to_bytes(2, "big") + key.id + key.cose()
        data = self._data(options["rp"]["id"], key, HAS_KEY) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            key,
            clientDataJSON=to_base64url(self._client_data("webauthn.create", options)),
            attestationObject=to_base64url(attestation),
            transports=["internal"],
        )

    def get(self, options: Any, key: Key | None = None) -> dict[str, Any]:
        """`navigator.credentials.get()`, by `toJSON()`: with the newest key, unless one is given."""
        key = key or self.keys[-1]
        client_data = self._client_data("webauthn.get", options)
        data = self._data(options["rpId"], key)
        signature = key.private.sign(data + hashlib.sha256(client_data).digest(), ECDSA(SHA256()))
        return self._answer(
            key,
            clientDataJSON=to_base64url(client_data),
            authenticatorData=to_base64url(data),
            signature=to_base64url(signature),
            userHandle=to_base64url(key.user_handle),
        )

    def _client_data(self, type_: str, options: Any) -> bytes:
        content = {"type": self.type or type_, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(content | {"crossOrigin": self.is_framed}).encode()

    def _data(self, rp_id: str, key: Key, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.is_verified else 0)
        flags |= MAY_BE_COPIED | IS_COPIED if self.is_synced else 0
        key.sign_count += self.counts
        hash_ = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        return hash_ + bytes([flags]) + key.sign_count.to_bytes(4, "big")

    @staticmethod
    def _answer(key: Key, **response: Any) -> dict[str, Any]:
        id_ = to_base64url(key.id)
        return {
            "id": id_,
            "rawId": id_,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }


def _bytes(text: str) -> bytes:
    value = from_base64url(text)
    assert value is not None, text
    return value
