"""`clinic staff`: accounts of staff. Each change is recorded in the security log before it counts."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from contracts.commands import Actor, ActorKind
from contracts.security import StaffAccountChanged
from infra import clock
from infra.errors import MisconfiguredError
from infra.keys import Keys
from infra.postgres import Connection
from infra.settings import Settings
from infra.tokens import Role
from ops.connections import database
from ops.security_log import record
from ops.staff.credentials import Credentials, check_password, make_credentials
from ops.staff.credentials import new_password as random_password
from storage import mail_address
from storage.login.calendar_links import SQL as CALENDAR_LINKS
from storage.login.passkeys import SQL as PASSKEYS
from storage.login.passwords import hashed
from storage.login.sessions import SQL as SESSIONS
from storage.login.staff import ADDRESS, SQL


@dataclass(frozen=True)
class Account:
    """An account, as it is listed."""

    id: UUID
    email: str
    role: Role
    state: str
    recovery_codes: int
    passkeys: int
    created_at: datetime
    logged_in_at: datetime | None


async def add(
    settings: Settings,
    email: str,
    role: Role,
    password: str | None = None,
    *,
    enrolled: bool = False,
) -> Credentials:
    """A new account, or a disabled one anew. Without a password, a random one.

    The authenticator has to be confirmed by a login within `ENROLMENT`, unless it counts as `enrolled`.

    Raises:
        ValueError: the address cannot be written to, or the password may not be chosen.
        ClinicError: there is such an account; or a server does not answer.
    """
    mail_address.written(email, smtputf8=settings.smtp_utf8)
    check_password(password, email, settings)
    async with _changing(settings) as (connection, keys):
        account = keys.login_account(mail_address.comparable(email))
        known = await connection.fetchrow(SQL["lock_by_account"], account)
        if known is not None and known["disabled_at"] is None:
            raise MisconfiguredError(f"There is an account for {email} already.")
        id_ = known["id"] if known else clock.new_id()
        made = password or random_password()
        credentials = await make_credentials(
            connection, settings, keys, id_, email, role, hashed(made), enrolled=enrolled
        )
        await _record(settings, id_, "added")
        return replace(credentials, password=None if password else made)


async def reset_factor(
    settings: Settings, email: str, password: str | None = None, *, new_password: bool = False
) -> Credentials:
    """A new authenticator and new recovery codes, and a new password if one is given or asked for.

    All passkeys and calendar links go, and all logins end. Raises as `add`, and a ClinicError if there is no
    such account.
    """
    check_password(password, email, settings)
    async with _changing(settings) as (connection, keys):
        known = await _known(connection, keys, email)
        if known["disabled_at"] is not None:
            raise MisconfiguredError("The account is disabled: `clinic staff add` makes it anew.")
        made = password or (random_password() if new_password else None)
        hash_ = known["password_hash"] if made is None else hashed(made)
        address = keys.open_staff(known["address"], ADDRESS, known["id"])
        await _end_sessions(connection, known["id"], "factor_reset")
        credentials = await make_credentials(
            connection, settings, keys, known["id"], address, Role(known["role"]), hash_, enrolled=False
        )
        await _record(settings, known["id"], "factor_reset")
        return replace(credentials, password=None if password else made)


async def disable(settings: Settings, email: str) -> int:
    """Nobody logs in with the account any more; its passkeys, calendar links and logins end: returns how many
    logins.

    Raises:
        ClinicError: there is no such account, or a server does not answer.
    """
    async with _changing(settings) as (connection, keys):
        known = await _known(connection, keys, email)
        await connection.execute(SQL["disable"], known["id"], clock.now())
        # First: this waits for what a login is making at this moment, which goes then.
        ended = await _end_sessions(connection, known["id"], "disabled")
        await connection.execute(PASSKEYS["remove_all"], known["id"])
        await connection.execute(CALENDAR_LINKS["remove_all_by"], known["id"])
        await _record(settings, known["id"], "disabled")
        return ended


async def end_sessions(settings: Settings, email: str) -> int:
    """End all logins of an account: returns how many. Raises as `disable`."""
    async with _changing(settings) as (connection, keys):
        known = await _known(connection, keys, email)
        ended = await _end_sessions(connection, known["id"], "ended_by_operator")
        await _record(settings, known["id"], "sessions_ended")
        return ended


async def accounts(settings: Settings) -> list[Account]:
    """All accounts, the oldest first. Raises as `disable`."""
    keys = Keys.load(settings)
    async with database(settings.postgres_dsn.get_secret_value(), "clinic-staff", connections_max=1) as pool:
        rows = await pool.fetch(SQL["all"])
    return [
        Account(
            row["id"],
            keys.open_staff(row["address"], ADDRESS, row["id"]),
            Role(row["role"]),
            _state(row),
            row["recovery_codes"],
            row["passkeys"],
            row["created_at"],
            row["logged_in_at"],
        )
        for row in rows
    ]


@contextlib.asynccontextmanager
async def _changing(settings: Settings) -> AsyncIterator[tuple[Connection, Keys]]:
    """One transaction, as the owner: no service may change an account."""
    keys = Keys.load(settings)
    dsn = settings.postgres_dsn.get_secret_value()
    async with (
        database(dsn, "clinic-staff", connections_max=1) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        yield connection, keys


async def _known(connection: Connection, keys: Keys, email: str) -> asyncpg.Record:
    account = keys.login_account(mail_address.comparable(email))
    row = await connection.fetchrow(SQL["lock_by_account"], account)
    if row is None:
        raise MisconfiguredError(f"There is no account for {email}.")
    return row


async def _end_sessions(connection: Connection, id_: UUID, reason: str) -> int:
    return len(await connection.fetch(SESSIONS["end_sessions_of"], id_, clock.now(), reason))


async def _record(settings: Settings, id_: UUID, change: str) -> None:
    event = StaffAccountChanged(
        event_id=clock.new_id(),
        occurred_at=clock.now(),
        actor=Actor(kind=ActorKind.STAFF, id=id_),
        request_id=clock.new_id().hex,
        change=change,
    )
    await record(settings, event)


def _state(row: asyncpg.Record) -> str:
    if row["disabled_at"] is not None:
        return "disabled"
    if row["enrolled_at"] is not None:
        return "active"
    return "enrolling" if row["enrol_until"] > clock.now() else "lapsed"
