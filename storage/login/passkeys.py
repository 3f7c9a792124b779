"""Passkeys (WebAuthn): public keys of patients and staff, and logins by them."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from contracts.challenges import Secret
from contracts.commands import Actor, ActorKind
from infra import clock
from infra.crypto.sealing import Column, SealingKey
from infra.crypto.uses import STAFF
from infra.keys import Keys
from infra.postgres import Connection
from infra.queries import load_queries
from infra.tokens import Role
from storage.login.sessions import Continued, begin_session, check_not_ended
from storage.login.staff import SQL as STAFF_SQL
from storage.notices import plan_notice
from storage.patients import Patients

SQL = load_queries(Path(__file__).with_suffix(".sql"))

NAME = Column("login.passkeys", "name", None)
PASSKEYS_MAX = 20
USER_HANDLE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey, as its owner sees it."""

    id: UUID
    name: str
    synced: bool
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credential:
    """A new public key, as an authenticator gave it. `public_key` is a COSE key (RFC 9052, section 7)."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    synced: bool
    user_handle: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What an assertion is checked against."""

    id: UUID
    owner: Actor
    user_handle: bytes
    public_key: bytes
    synced: bool

    @property
    def methods(self) -> tuple[str, ...]:
        """How its owner proves who they are (RFC 8176): with a key, of software if it can be copied, and as
        the person whom the authenticator has recognised, which is a second factor."""
        return ("swk" if self.synced else "hwk", "user", "mfa")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nobody was logged in: `reason` is a code, for the security log alone. `owner` is None if unknown."""

    reason: str
    owner: Actor | None = None


class Passkeys:
    """Reads and writes `login.passkeys`."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys, patients: Patients) -> None:
        self._pool = pool
        self._keys = keys
        self._patients = patients

    async def of(self, owner: Actor) -> list[Passkey]:
        """The passkeys of a person, the oldest first."""
        key = await self._name_key(owner)
        if key is None:
            return []
        rows = await self._pool.fetch(SQL["of_person"], owner.id)
        names = [key.open(row["name"], NAME, row["id"]).decode() for row in rows]
        return [
            Passkey(row["id"], name, row["synced"], row["created_at"], row["used_at"])
            for row, name in zip(rows, names, strict=True)
        ]

    async def known_to_authenticators(self, owner: Actor) -> tuple[bytes, list[bytes]]:
        """The person's user handle, a new one if they have no passkey, and the ids of their credentials."""
        rows = await self._pool.fetch(SQL["of_person"], owner.id)
        handle: bytes = rows[0]["user_handle"] if rows else clock.new_secret(USER_HANDLE_BYTES)
        return handle, [row["credential_id"] for row in rows]

    async def find(self, credential_id: bytes) -> Kept | None:
        """The passkey with this credential id; None if it is unknown."""
        row = await self._pool.fetchrow(SQL["by_credential"], credential_id)
        if row is None:
            return None
        owner = Actor(kind=ActorKind(row["kind"]), id=row["person_id"])
        return Kept(row["id"], owner, row["user_handle"], row["public_key"], row["synced"])

    async def add(
        self,
        owner: Actor,
        credential: Credential,
        name: str,
        passkey_id: UUID,
        *,
        session_id: UUID,
        notice: Secret,
    ) -> Passkey | None:
        """A person's new passkey, made in this session; they get the notice.

        None if they are forgotten or disabled, have `PASSKEYS_MAX`, or if the credential is there already.

        Raises:
            SessionEndedError: the session was ended.
        """
        key, now = await self._name_key(owner), clock.now()
        async with self._pool.acquire() as connection, connection.transaction():
            role = await _lock_owner(connection, owner)
            await check_not_ended(connection, session_id)
            count = await connection.fetchval(SQL["count"], owner.id)
            if key is None or role is None or count >= PASSKEYS_MAX:
                return None
            added = await connection.fetchval(
                SQL["add"],
                passkey_id,
                credential.credential_id,
                owner.id,
                owner.kind.value,
                credential.user_handle,
                credential.public_key,
                credential.sign_count,
                credential.synced,
                key.seal(name.encode(), NAME, passkey_id),
                now,
            )
            if added is None:
                return None
            await plan_notice(connection, self._keys, notice, _patient_id(owner))
        return Passkey(passkey_id, name, credential.synced, now, None)

    async def has(self, owner: Actor, passkey_id: UUID) -> bool:
        """True if the passkey is this person's."""
        return bool(await self._pool.fetchval(SQL["has"], passkey_id, owner.id))

    async def remove(self, owner: Actor, passkey_id: UUID, notice: Secret) -> None:
        """Delete a passkey, if it is this person's; they get the notice."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(SQL["remove"], passkey_id, owner.id) is not None:
                await plan_notice(connection, self._keys, notice, _patient_id(owner))

    async def remove_all(self, person_id: UUID) -> None:
        """Delete all passkeys of a person."""
        await self._pool.execute(SQL["remove_all"], person_id)

    async def log_in(self, kept: Kept, sign_count: int) -> Continued | Rejected:
        """Begin a session of the owner, whose assertion was checked: `sign_count` is the one in it.

        Raises:
            TransientError: Postgres does not answer.
        """
        # The owner's row stays locked: whoever is disabled or forgotten at this moment has no session later.
        async with self._pool.acquire() as connection, connection.transaction():
            role = await _lock_owner(connection, kept.owner)
            if role is None:
                return Rejected("person_is_gone", kept.owner)
            last = await connection.fetchval(SQL["lock"], kept.id)
            if last is None:
                return Rejected("unknown_passkey", kept.owner)
            # Authenticators that do not count say 0 always (WebAuthn, section 7.2, step 22).
            if (sign_count or last) and sign_count <= last:
                return Rejected("sign_count_back", kept.owner)
            now = clock.now()
            await connection.execute(SQL["use"], kept.id, sign_count, now)
            if kept.owner.kind is ActorKind.STAFF:
                await connection.execute(STAFF_SQL["logged_in"], kept.owner.id, now)
            return await begin_session(connection, kept.owner.id, role, kept.methods)

    async def _name_key(self, owner: Actor) -> SealingKey | None:
        if owner.kind is ActorKind.PATIENT:
            return await self._patients.data_key(owner.id)
        return self._keys.sealing(STAFF)


def _patient_id(owner: Actor) -> UUID | None:
    return owner.id if owner.kind is ActorKind.PATIENT else None


async def _lock_owner(connection: Connection, owner: Actor) -> Role | None:
    """The person's role; None if they may not log in."""
    if owner.kind is ActorKind.PATIENT:
        is_known = await connection.fetchval(SQL["lock_patient"], owner.id) is not None
        return Role.PATIENT if is_known else None
    row = await connection.fetchrow(STAFF_SQL["lock"], owner.id)
    return None if row is None or row["disabled_at"] is not None else Role(row["role"])
