"""Tokens made by hand, with any header and any claims."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.commands import Actor, ActorKind
from infra.signing_keys import SigningKeys, key_id
from infra.tokens import TokenChecker

KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(seed * 32) for seed in (b"\x01", b"\x02"))
KEYS = SigningKeys(KEY)
KID = key_id(KEY.public_key())
ID = UUID("a0000000-0000-4000-8000-000000000001")
SESSION = UUID("a0000000-0000-4000-8000-000000000002")
PATIENT = Actor(kind=ActorKind.PATIENT, id=ID)
NOT_GIVEN = object()
HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": KID}
HUGE = "1" + "0" * 400


def check(token: str) -> Actor | None:
    access = TokenChecker(KEYS).check(token)
    return access.actor if access else None


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a valid token, some changed or left out."""
    now_s = int(time.time())
    good = {"iss": "clinic", "aud": "clinic", "sub": str(ID), "role": "patient"}
    login = {"jti": str(ID), "sid": str(SESSION), "auth_time": now_s, "amr": ["otp"]}
    all_ = {**good, **login, "iat": now_s, "exp": now_s + 900, **changed}
    return {name: value for name, value in all_.items() if value is not NOT_GIVEN}


def part(content: bytes | dict[str, Any]) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(
    payload: bytes | dict[str, Any],
    key: Ed25519PrivateKey = KEY,
    header: bytes | dict[str, Any] = HEADER,
) -> str:
    """A token with exactly this header and payload, signed."""
    content = f"{part(header)}.{part(payload)}"
    return f"{content}.{part(key.sign(content.encode()))}"
