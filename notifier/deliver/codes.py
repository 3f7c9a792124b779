"""The secrets of login challenges, from Redis, and of notices, as planned (`contracts.challenges`)."""

from typing import Any
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag
from pydantic import ValidationError
from redis.asyncio import Redis

from contracts.challenges import Secret, secret_key
from infra.errors import TransientError
from infra.keys import Keys
from infra.redis import REDIS_OUTAGES
from storage.notices import open_notice


class Codes:
    """Reads the secrets of login challenges."""

    def __init__(self, redis: Redis, keys: Keys, namespace: str) -> None:
        self._redis = redis
        self._keys = keys
        self._namespace = namespace

    async def of(self, challenge_id: UUID) -> Secret | None:
        """The secret; None if it has expired or was used.

        Raises:
            TransientError: Redis does not answer.
            ValueError: it cannot be decrypted with this clinic's keys.
        """
        try:
            sealed: Any = await self._redis.get(secret_key(self._namespace, challenge_id))
        except REDIS_OUTAGES:
            raise TransientError("Redis does not answer") from None
        if sealed is None:
            return None
        try:
            return Secret.model_validate_json(self._keys.open_challenge(challenge_id, sealed))
        except (InvalidTag, ValidationError):
            raise ValueError("the code cannot be decrypted") from None

    def of_notice(self, row: asyncpg.Record) -> Secret | None:
        """The secret of a notice, as it was planned; None if its patient is forgotten.

        Raises:
            ValueError: it cannot be decrypted with this clinic's keys.
        """
        try:
            return open_notice(self._keys, row["id"], row["secret"], row["patient_id"], row["data_key"])
        except (InvalidTag, ValidationError):
            raise ValueError("the notice cannot be decrypted") from None
