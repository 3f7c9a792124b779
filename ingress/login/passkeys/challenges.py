"""Challenges of passkeys, sealed in Redis: each is answered once, in minutes, for what it was made for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from contracts.fields import Id, Instant, Model
from infra import clock
from infra.crypto.sealing import Column, from_base64url, to_base64url
from infra.crypto.uses import PASSKEY_CHALLENGES
from infra.errors import TransientError
from infra.keys import Keys
from infra.redis import REDIS_OUTAGES
from infra.settings import Settings
from ingress.login.passkeys.relying_party import TIMEOUT_MS

CHALLENGE_BYTES = 32
VALID_FOR = timedelta(milliseconds=TIMEOUT_MS)
SEALED = Column("passkey challenges", "content", None)


class Purpose(StrEnum):
    """What an answer to a challenge is good for."""

    LOGIN = "login"
    REGISTRATION = "registration"


class _Kept(Model):
    purpose: Purpose
    challenge: str
    expires_at: Instant
    person_id: Id | None
    user_handle: str


@dataclass(frozen=True, slots=True)
class PasskeyChallenge:
    """Random bytes that an authenticator signs. `user_handle` is empty for a login."""

    id: UUID
    challenge: bytes
    expires_at: datetime
    user_handle: bytes


class PasskeyChallenges:
    """Makes challenges, and takes each back once."""

    def __init__(self, settings: Settings, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.sealing(PASSKEY_CHALLENGES)
        self._namespace = settings.namespace

    async def make(
        self, purpose: Purpose, person_id: UUID | None = None, user_handle: bytes = b""
    ) -> PasskeyChallenge:
        """A new challenge; for a registration, of this person.

        Raises:
            TransientError: Redis does not answer.
        """
        made = PasskeyChallenge(
            clock.new_id(), clock.new_secret(CHALLENGE_BYTES), clock.now() + VALID_FOR, user_handle
        )
        kept = _Kept(
            purpose=purpose,
            challenge=to_base64url(made.challenge),
            expires_at=made.expires_at,
            person_id=person_id,
            user_handle=to_base64url(user_handle),
        )
        sealed = self._key.seal(kept.model_dump_json().encode(), SEALED, made.id)
        try:
            await self._redis.set(self._name(made.id), sealed, pxat=made.expires_at)
        except REDIS_OUTAGES as error:
            raise TransientError("Redis does not answer") from error
        return made

    async def take(
        self, challenge_id: UUID, purpose: Purpose, person_id: UUID | None = None
    ) -> PasskeyChallenge | None:
        """The challenge, which is over from now on. None if it was over, or made for something else.

        Raises:
            TransientError: Redis does not answer.
        """
        try:
            sealed: Any = await self._redis.getdel(self._name(challenge_id))
        except REDIS_OUTAGES as error:
            raise TransientError("Redis does not answer") from error
        if sealed is None:
            return None
        kept = _Kept.model_validate_json(self._key.open(sealed, SEALED, challenge_id))
        if (kept.purpose, kept.person_id) != (purpose, person_id) or kept.expires_at <= clock.now():
            return None
        challenge, user_handle = from_base64url(kept.challenge), from_base64url(kept.user_handle)
        assert challenge is not None, "`make` wrote it"
        assert user_handle is not None, "`make` wrote it"
        return PasskeyChallenge(challenge_id, challenge, kept.expires_at, user_handle)

    def _name(self, challenge_id: UUID) -> str:
        return f"{self._namespace}passkey:{challenge_id}"
