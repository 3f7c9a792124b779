"""Credentials of staff: made here, shown once, and kept so that nobody can read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from infra import clock
from infra.crypto.sealing import to_base64url
from infra.keys import Keys
from infra.postgres import Connection
from infra.settings import Settings
from infra.tokens import Role
from storage import mail_address
from storage.login.calendar_links import SQL as CALENDAR_LINKS
from storage.login.factors import RECOVERY_CODES, enrolment_uri, new_recovery_code, new_seed, recovery_hash
from storage.login.passkeys import SQL as PASSKEYS
from storage.login.passwords import weakness
from storage.login.staff import ADDRESS, SEED, SQL

ENROLMENT = timedelta(hours=24)
PASSWORD_BYTES = 18


@dataclass(frozen=True)
class Credentials:
    """Credentials of a new account. They cannot be read again. `password` is None if it was given."""

    email: str
    role: Role
    password: str | None
    seed: str
    uri: str
    recovery_codes: Sequence[str]


async def make_credentials(
    connection: Connection,
    settings: Settings,
    keys: Keys,
    id_: UUID,
    email: str,
    role: Role,
    password_hash: str,
    *,
    enrolled: bool,
) -> Credentials:
    """Write an account's credentials, those of before replaced: a new authenticator and new recovery codes.

    Its passkeys are removed, and the calendar links that were made with it.

    `enrolled`: the authenticator counts as confirmed.
    """
    now, seed = clock.now(), new_seed()
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    await connection.execute(
        SQL["put"],
        id_,
        keys.login_account(mail_address.comparable(email)),
        keys.seal_staff(email, ADDRESS, id_),
        role.value,
        password_hash,
        keys.seal_staff(seed, SEED, id_),
        now + ENROLMENT,
        now if enrolled else None,
        now,
    )
    await connection.execute(PASSKEYS["remove_all"], id_)
    await connection.execute(CALENDAR_LINKS["remove_all_by"], id_)
    await connection.execute(SQL["delete_recovery_codes"], id_)
    await connection.execute(SQL["add_recovery_codes"], id_, [recovery_hash(id_, code) for code in codes])
    return Credentials(email, role, None, seed, enrolment_uri(seed, email, settings.name), codes)


def check_password(password: str | None, email: str, settings: Settings) -> None:
    """Check a password that somebody has chosen.

    Raises:
        ValueError: it may not be chosen; the message says why.
    """
    reason = None if password is None else weakness(password, [email, settings.name])
    if reason is not None:
        raise ValueError(reason)


def new_password() -> str:
    """A random password."""
    return to_base64url(clock.new_secret(PASSWORD_BYTES))


def lines(made: Credentials) -> list[str]:
    """The credentials for a person to read."""
    return [
        f"email           {made.email} ({made.role})",
        f"password        {made.password or 'as it is'}",
        f"authenticator   {made.uri}",
        f"its secret      {made.seed}",
        f"recovery codes  {' '.join(made.recovery_codes)}",
    ]
