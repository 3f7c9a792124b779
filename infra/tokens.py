"""Access tokens: JWTs (RFC 7519) signed with Ed25519 (RFC 8037)."""

import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from contracts.commands import Actor, ActorKind
from infra.errors import MisconfiguredError

ISSUER = "clinic"
ALGORITHM = "EdDSA"
# Enough for every user of a large clinic at once; a signature check costs some 100 µs.
REMEMBERED_MAX = 50_000


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 private key, PKCS #8 PEM.

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


def issue_token(key: Ed25519PrivateKey, actor: Actor, valid_for: timedelta) -> str:
    """A token that lets its bearer act as `actor` until it expires."""
    now_s = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": str(actor.id),
        "role": actor.kind.value,
        "iat": now_s,
        "exp": now_s + int(valid_for.total_seconds()),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


class TokenChecker:
    """Checks tokens; remembers which signatures were good, so that a busy client costs one check."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self._remembered: dict[str, tuple[Actor, float]] = {}

    def check(self, token: str) -> Actor | None:
        """Who the token speaks for; None if it is forged, expired or not a token."""
        known = self._remembered.get(token)
        if known is None:
            known = self._verified(token)
            if known is None:
                return None
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[token] = known
        actor, expires_at_s = known
        return actor if time.time() < expires_at_s else None

    def _verified(self, token: str) -> tuple[Actor, float] | None:
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=ISSUER,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
            return Actor(kind=ActorKind(claims["role"]), id=UUID(claims["sub"])), float(claims["exp"])
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return None
