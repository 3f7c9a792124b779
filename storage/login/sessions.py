"""Sessions, and their refresh tokens that rotate at each use (RFC 9700, section 4.14): a reuse ends all."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from contracts.commands import Actor
from infra import clock
from infra.crypto.sealing import Column, SealingKey, expanded
from infra.errors import ClinicError
from infra.postgres import Connection
from infra.queries import load_queries
from infra.tokens import Role
from storage.notices import SQL as NOTICES

SQL = load_queries(Path(__file__).with_name("queries.sql"))

TOKEN_BYTES = 32
TOKEN_CHARACTERS = 43
# An answer that was lost: for so long the old token gets the same new one again.
GRACE = timedelta(seconds=30)
SUCCESSOR = Column("login.refresh_tokens", "successor", None)
KEPT = timedelta(days=30)
FAILURES_KEPT = timedelta(days=2)
LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The time after which a session ends: without use, and in any case."""

    idle: timedelta
    absolute: timedelta


# NIST SP 800-63B-4, section 2.2.3 for staff (AAL2: an hour, a day) and 2.1.3 for patients (AAL1: 30 days).
LIFETIMES = {
    Role.PATIENT: Lifetime(timedelta(days=7), timedelta(days=30)),
    Role.STAFF: Lifetime(timedelta(hours=1), timedelta(hours=12)),
    Role.ADMIN: Lifetime(timedelta(hours=1), timedelta(hours=12)),
}


@dataclass(frozen=True, slots=True)
class Session:
    """A login that lasts."""

    id: UUID
    person_id: UUID
    role: Role
    methods: tuple[str, ...]
    authenticated_at: datetime
    begun_at: datetime
    used_at: datetime
    ends_at: datetime
    """The end if it is not used again."""

    @property
    def actor(self) -> Actor:
        """The person as the log names them."""
        return Actor(kind=self.role.actor_kind, id=self.person_id)


@dataclass(frozen=True, slots=True)
class Continued:
    """A session goes on, with the next refresh token."""

    session: Session
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Reused:
    """A token was used again: somebody has stolen it, or its successor. The session has ended."""

    session: Session


@dataclass(frozen=True, slots=True)
class Ended:
    """The sessions of a person that went on until now, and True if they had a calendar link until now."""

    session_ids: list[UUID]
    had_link: bool


class SessionEndedError(ClinicError):
    """Somebody ended the session whose access token was used: nothing may be made with it any more."""


class Sessions:
    """Reads and writes `login.sessions` and `login.refresh_tokens`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(self, person_id: UUID, role: Role, methods: Sequence[str]) -> Continued:
        """A new session of a person who has just proved who they are."""
        async with self._pool.acquire() as connection, connection.transaction():
            return await begin_session(connection, person_id, role, methods)

    async def refresh(self, token: str) -> Continued | Reused | None:
        """Exchange a refresh token for its successor; None if it is unknown, or its session is over.

        The same token gets the same successor again for `GRACE`, unless that was used already.
        """
        if not _is_token(token):
            return None
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(SQL["lock_token"], _hash(token))
            now = clock.now()
            if row is None or row["ended_at"] or min(row["idle_ends_at"], row["ends_at"]) <= now:
                return None
            if row["token_used_at"] is None:
                return await _exchange(connection, token, row, now)
            successor = _successor_key(token).open(row["successor"], SUCCESSOR, row["id"]).decode()
            if row["token_used_at"] + GRACE > now and await connection.fetchval(
                SQL["is_unused"], _hash(successor)
            ):
                return Continued(_session(row), successor)
            await connection.execute(SQL["end_session"], row["id"], now, "token_reused")
            return Reused(_session(row))

    async def end(self, session_id: UUID, reason: str) -> Actor | None:
        """End a session. Returns whose it was; None if it is unknown or over."""
        row = await self._pool.fetchrow(SQL["end_session"], session_id, clock.now(), reason)
        return Actor(kind=Role(row["role"]).actor_kind, id=row["person_id"]) if row else None

    async def session_of_token(self, token: str) -> UUID | None:
        """The session that a refresh token belongs to, used or not."""
        found: UUID | None = None
        if _is_token(token):
            found = await self._pool.fetchval(SQL["session_of_token"], _hash(token))
        return found

    async def end_own(self, session_id: UUID, person_id: UUID, reason: str) -> bool:
        """End a session of this person. False if they have no such session that goes on."""
        values = (session_id, person_id, clock.now(), reason)
        return await self._pool.fetchval(SQL["end_own_session"], *values) is not None

    async def end_all(self, person_id: UUID, reason: str) -> Ended:
        """End all sessions of a person, and a patient's calendar link, which a thief of one may have made."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(SQL["end_sessions_of"], person_id, clock.now(), reason)
            link = await connection.fetchval(SQL["withdraw_link_of"], person_id)
        return Ended([row["id"] for row in rows], link is not None)

    async def of(self, person_id: UUID) -> list[Session]:
        """The sessions of a person that go on, the one used last first."""
        rows = await self._pool.fetch(SQL["sessions_of"], person_id, clock.now(), LISTED_MAX)
        return [_session(row) for row in rows]

    async def ended_since(self, instant: datetime) -> set[UUID]:
        """The sessions that somebody ended since then."""
        return {row["id"] for row in await self._pool.fetch(SQL["ended_since"], instant)}

    async def count_failure(self, account: bytes) -> int:
        """Count a failed login of an account, a keyed hash of its address. Returns the failures in a row."""
        count: int = await self._pool.fetchval(SQL["count_failure"], account, clock.now())
        return count

    async def forget_failures(self, account: bytes) -> None:
        """The account's login succeeded."""
        await self._pool.execute(SQL["forget_failures"], account)

    async def delete_old(self) -> None:
        """Delete what nobody needs any more."""
        now = clock.now()
        await self._pool.execute(SQL["delete_old_sessions"], now - KEPT)
        await self._pool.execute(SQL["delete_old_failures"], now - FAILURES_KEPT)
        await self._pool.execute(NOTICES["delete_old"], now)


async def begin_session(
    connection: Connection, person_id: UUID, role: Role, methods: Sequence[str]
) -> Continued:
    """A new session, in the transaction of this connection."""
    now, token, id_ = clock.now(), _new_token(), clock.new_id()
    lifetime = LIFETIMES[role]
    idle_ends_at, ends_at = now + lifetime.idle, now + lifetime.absolute
    await connection.execute(
        SQL["begin_session"], id_, person_id, role, list(methods), now, idle_ends_at, ends_at
    )
    await connection.execute(SQL["add_token"], _hash(token), id_, now)
    session = Session(id_, person_id, role, tuple(methods), now, now, now, idle_ends_at)
    return Continued(session, token)


async def check_not_ended(connection: Connection, session_id: UUID) -> None:
    """Keep the session from being ended until this transaction is over: whoever ends it sees what was made.

    A session that is not known has none to end it: its token is an operator's.

    Raises:
        SessionEndedError: it was ended.
    """
    if await connection.fetchval(SQL["hold_session"], session_id) is not None:
        raise SessionEndedError


async def _exchange(connection: Connection, token: str, row: asyncpg.Record, now: datetime) -> Continued:
    successor = _new_token()
    sealed = _successor_key(token).seal(successor.encode(), SUCCESSOR, row["id"])
    idle_ends_at = now + LIFETIMES[Role(row["role"])].idle
    await connection.execute(SQL["add_token"], _hash(successor), row["id"], now)
    await connection.execute(SQL["exchange"], _hash(token), now, sealed)
    await connection.execute(SQL["use_session"], row["id"], now, idle_ends_at)
    return Continued(_session({**row, "used_at": now, "idle_ends_at": idle_ends_at}), successor)


def _session(row: Any) -> Session:
    return Session(
        row["id"],
        row["person_id"],
        Role(row["role"]),
        tuple(row["methods"]),
        row["authenticated_at"],
        row["begun_at"],
        row["used_at"],
        min(row["idle_ends_at"], row["ends_at"]),
    )


def _new_token() -> str:
    return urlsafe_b64encode(clock.new_secret(TOKEN_BYTES)).rstrip(b"=").decode()


def _is_token(text: str) -> bool:
    return len(text) == TOKEN_CHARACTERS and text.isascii()


def _hash(token: str) -> bytes:
    # Of 256 random bits, so that no slow hash is needed.
    return hashlib.sha256(token.encode()).digest()


def _successor_key(token: str) -> SealingKey:
    return SealingKey(expanded(urlsafe_b64decode(token + "="), "successor of a refresh token"))
