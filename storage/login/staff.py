"""Logins of staff: a password and a code of an authenticator, both right at the same moment."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from infra import clock
from infra.crypto.sealing import Column
from infra.keys import Keys
from infra.postgres import Connection
from infra.queries import load_queries
from infra.tokens import Role
from storage import mail_address
from storage.login.factors import is_recovery_code, recovery_hash, step_of
from storage.login.passwords import PasswordChecks
from storage.login.sessions import Continued, begin_session

SQL = load_queries(Path(__file__).with_name("staff.sql"))

ADDRESS = Column("login.staff", "address", None)
SEED = Column("login.staff", "seed", None)
# RFC 8176: a password, a one-time code, several factors.
METHODS = ("pwd", "otp", "mfa")


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody was logged in: `reason` is a code, for the security log alone. `staff_id` is None if unknown."""

    reason: str
    staff_id: UUID | None = None


class StaffLogins:
    """Checks the factors of staff (`login.staff`)."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys
        self._passwords = PasswordChecks()

    async def log_in(
        self, email: str, password: str, code: str, record: Callable[[Continued], Awaitable[None]]
    ) -> Continued | Failed:
        """Begin a session, which `record` puts on record. `code` is the authenticator's at this moment, or a
        recovery code.

        Unknown addresses and wrong passwords take the same time. Every code counts once. If `record` fails, a
        recovery code counts again, as there are few. An authenticator's code does not: it was found right
        (RFC 6238, section 5.2), whoever saw it could use it, and the next one comes within 30 s.

        Raises:
            TooManyChecksError: too many people log in at this moment.
        """
        account = self._keys.login_account(mail_address.comparable(email))
        row = await self._pool.fetchrow(SQL["by_account"], account)
        if not await self._passwords.fits(row["password_hash"] if row else None, password):
            return Failed("wrong_password", row["id"] if row else None)
        assert row is not None, "nobody's password fits never"
        # The row stays locked, so that whoever disables the account at this moment ends this session, too.
        async with self._pool.acquire() as connection, connection.transaction():
            began = await self._with_code(connection, row, code)
            # Rare enough to keep a connection while the log is waited for: if that fails, all is undone.
            if isinstance(began, Continued) and is_recovery_code(code):
                await record(began)
                return began
        if isinstance(began, Continued):
            await record(began)
        return began

    async def _with_code(
        self, connection: Connection, checked: asyncpg.Record, code: str
    ) -> Continued | Failed:
        row = await connection.fetchrow(SQL["lock"], checked["id"])
        if row is None or row["password_hash"] != checked["password_hash"] or row["disabled_at"] is not None:
            return Failed("disabled", checked["id"])
        if row["enrolled_at"] is None and row["enrol_until"] <= clock.now():
            return Failed("enrolment_lapsed", row["id"])
        if not await self._use(connection, row, code):
            return Failed("wrong_code", row["id"])
        await connection.execute(SQL["logged_in"], row["id"], clock.now())
        return await begin_session(connection, row["id"], Role(row["role"]), METHODS)

    async def _use(self, connection: Connection, row: asyncpg.Record, code: str) -> bool:
        if is_recovery_code(code):
            # The first login has to show that the authenticator works.
            if row["enrolled_at"] is None:
                return False
            hash_ = recovery_hash(row["id"], code)
            return await connection.fetchval(SQL["use_recovery_code"], row["id"], hash_) is not None
        seed = self._keys.open_staff(row["seed"], SEED, row["id"])
        step = step_of(seed, code, clock.now(), after=row["last_step"])
        if step is not None:
            await connection.execute(SQL["use_step"], row["id"], step)
        return step is not None

    async def is_active(self, staff_id: UUID, role: Role) -> bool:
        """True if the account may still be used, in this role."""
        return bool(await self._pool.fetchval(SQL["is_active"], staff_id, role.value))

    async def address(self, staff_id: UUID) -> str | None:
        """The mail address of an account that may be used; None if there is no such one."""
        sealed = await self._pool.fetchval(SQL["address"], staff_id)
        return None if sealed is None else self._keys.open_staff(sealed, ADDRESS, staff_id)
