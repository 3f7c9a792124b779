"""Access tokens: JWTs (RFC 7519) of the profile of RFC 9068, signed with Ed25519 (RFC 8037)."""

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.api_jws import PyJWS
from pydantic import BaseModel, Field, StrictInt, ValidationError

from contracts.commands import Actor, ActorKind
from contracts.fields import Id
from infra import clock
from infra.signing_keys import SigningKeys, key_id

ISSUER = "clinic"
ALGORITHM = "EdDSA"
TYPE = "at+jwt"
LIFETIME = timedelta(minutes=15)
RECENT = timedelta(minutes=5)
"""How long ago a login may be, at most, for what only the person themselves may do."""
# Another ingress may have issued it, whose clock is ahead of this one's.
SKEW_S = 5
BYTES_MAX = 4_096
# Enough for all users of a large clinic; a signature check takes about 100 µs.
REMEMBERED_MAX = 50_000
_SECONDS_MAX = 2**53


class Role(StrEnum):
    """The kinds of people whom access is given to."""

    PATIENT = "patient"
    STAFF = "staff"
    ADMIN = "admin"

    @property
    def actor_kind(self) -> ActorKind:
        """The kind of actor on the log: administrators are staff."""
        return ActorKind.PATIENT if self is Role.PATIENT else ActorKind.STAFF


@dataclass(frozen=True, slots=True)
class Access:
    """The content of an access token: who may act, and the login that it goes back to.

    `authenticated_at_s` and `expires_at_s` are seconds since the epoch; `methods` are names of RFC 8176.
    """

    actor: Actor
    role: Role
    session_id: UUID
    authenticated_at_s: int
    methods: tuple[str, ...]
    expires_at_s: int

    def valid_for_s(self) -> float:
        """The remaining validity, seconds; 0 once it has expired."""
        return max(0.0, self.expires_at_s - time.time())

    def age_of_login_s(self) -> float:
        """The time since the person proved who they are, seconds."""
        return time.time() - self.authenticated_at_s

    def is_recent(self) -> bool:
        """True if they proved it so recently that it is still them."""
        return self.age_of_login_s() <= RECENT.total_seconds()


class _Header(BaseModel):
    alg: Literal["EdDSA"]
    typ: Literal["at+jwt"]
    kid: str
    crit: None = None


Seconds = Annotated[StrictInt, Field(ge=0, le=_SECONDS_MAX)]


class _Claims(BaseModel):
    iss: Literal["clinic"]
    aud: Literal["clinic"]
    sub: Id
    role: Role
    iat: Seconds
    exp: Seconds
    jti: Id
    sid: Id
    auth_time: Seconds
    amr: list[str]


def issue_token(
    key: Ed25519PrivateKey,
    id_: UUID,
    role: Role,
    *,
    session_id: UUID | None = None,
    authenticated_at_s: int | None = None,
    methods: tuple[str, ...] = (),
    valid_for: timedelta = LIFETIME,
) -> str:
    """A token whose bearer may act as this person until it expires.

    The session is a new one, and the login is now, unless they are given.
    """
    assert valid_for <= LIFETIME, "no access token lives longer"
    now_s = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": str(id_),
        "role": role.value,
        "iat": now_s,
        "exp": now_s + int(valid_for.total_seconds()),
        "jti": str(clock.new_id()),
        "sid": str(session_id or clock.new_id()),
        "auth_time": now_s if authenticated_at_s is None else authenticated_at_s,
        "amr": list(methods),
    }
    headers = {"typ": TYPE, "kid": key_id(key.public_key())}
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers=headers)


class TokenChecker:
    """Checks tokens; caches valid signatures, so that the token of a busy client is checked once."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._jws = PyJWS([ALGORITHM])
        # With the keys that it was checked by: they may have been changed.
        self._remembered: dict[str, tuple[Access, object]] = {}

    def check(self, token: str) -> Access | None:
        """The content of the token; None if it is forged, expired, malformed, or no access token."""
        access, keys = self._remembered.get(token, (None, None))
        if access is None or keys is not self._keys.public:
            access = self._verified(token)
            if access is None:
                return None
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[token] = (access, self._keys.public)
        return access if time.time() < access.expires_at_s else None

    def _verified(self, token: str) -> Access | None:
        if len(token) > BYTES_MAX:
            return None
        try:
            # Parsed here as well: a library may take the last of two fields of one name, and we the first.
            header = _Header.model_validate(_strict_json(_first_part(token)))
            key = self._keys.public[header.kid]
            content = self._jws.decode_complete(token, key, algorithms=[ALGORITHM])["payload"]
            claims = _Claims.model_validate(_strict_json(content))
        except (jwt.InvalidTokenError, KeyError, ValidationError, ValueError, RecursionError):
            return None
        now_s = time.time()
        is_sane = (
            claims.iat <= now_s + SKEW_S
            and claims.auth_time <= now_s + SKEW_S
            and claims.iat < claims.exp <= claims.iat + LIFETIME.total_seconds()
        )
        if not is_sane:
            return None
        actor = Actor(kind=claims.role.actor_kind, id=claims.sub)
        return Access(actor, claims.role, claims.sid, claims.auth_time, tuple(claims.amr), claims.exp)


def _first_part(token: str) -> bytes:
    return jwt.utils.base64url_decode(token.partition(".")[0])


def _strict_json(content: bytes) -> Any:
    return json.loads(content.decode("utf-8"), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name is there twice")
    return value
