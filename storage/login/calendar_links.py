"""Calendar subscriptions: a secret address for each patient and doctor who wants one."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts.challenges import Secret
from infra import clock
from infra.crypto.sealing import from_base64url, to_base64url
from infra.keys import Keys
from infra.queries import load_queries
from storage.login.passkeys import SQL as PASSKEYS
from storage.login.sessions import check_not_ended
from storage.notices import plan_notice

SQL = load_queries(Path(__file__).with_suffix(".sql"))

SECRET_BYTES = 32


class OwnerKind(StrEnum):
    """The kinds of calendars."""

    PATIENT = "patient"
    DOCTOR = "doctor"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose appointments a link shows."""

    kind: OwnerKind
    id: UUID


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that was made. `secret` is base64url, and cannot be read again."""

    secret: str
    made_at: datetime


class CalendarLinks:
    """Reads and writes `login.calendar_links`."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def made_at(self, owner: Owner) -> datetime | None:
        """When the owner's link was made; None if there is none."""
        found: datetime | None = await self._pool.fetchval(SQL["find"], owner.kind, owner.id)
        return found

    async def make(
        self, owner: Owner, made_by: UUID, *, session_id: UUID, notice: Secret | None
    ) -> NewLink | None:
        """A new link, made in this session, which takes the place of the former one.

        Whoever makes it gets the notice. None for a patient who was forgotten.

        Raises:
            SessionEndedError: the session was ended.
        """
        secret, now = clock.new_secret(SECRET_BYTES), clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            # Locked: whoever is forgotten at this moment has no link afterwards.
            lock = PASSKEYS["lock_patient"]
            if owner.kind is OwnerKind.PATIENT and await connection.fetchval(lock, owner.id) is None:
                return None
            await check_not_ended(connection, session_id)
            await connection.execute(SQL["put"], owner.kind, owner.id, _hash(secret), made_by, now)
            if notice is not None:
                patient_id = owner.id if owner.kind is OwnerKind.PATIENT else None
                await plan_notice(connection, self._keys, notice, patient_id)
        return NewLink(to_base64url(secret), now)

    async def withdraw(self, owner: Owner) -> None:
        """End the owner's link, if there is one."""
        await self._pool.execute(SQL["remove"], owner.kind, owner.id)

    async def owner_of(self, secret: str) -> Owner | None:
        """Whose link this is; None if it is nobody's, or no longer."""
        content = from_base64url(secret)
        if content is None or len(content) != SECRET_BYTES:
            return None
        row = await self._pool.fetchrow(SQL["by_hash"], _hash(content))
        return None if row is None else Owner(OwnerKind(row["owner_kind"]), row["owner_id"])


def _hash(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
