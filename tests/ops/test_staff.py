"""`clinic staff`: accounts are made, listed and disabled, and each change is recorded."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pyotp
import pytest

from contracts.cloudevents import decode_security_event
from contracts.commands import ActorKind
from contracts.security import StaffAccountChanged
from contracts.topics import SECURITY_EVENTS_TOPIC
from infra import clock
from infra.errors import MisconfiguredError
from infra.settings import Settings
from infra.tokens import Role
from ops.connections import database
from ops.staff.accounts import accounts, add, disable
from ops.staff.credentials import Credentials
from storage.login.passkeys import SQL as PASSKEYS
from storage.login.passwords import hashed, weakness
from tests.clinic import namespace, records
from tests.ops.conftest import clinic_command

GOOD = "seven unrelated quiet words"


@pytest.fixture
async def logged(migrated: Settings) -> AsyncIterator[Settings]:
    """A migrated database, and topics."""
    async with namespace(migrated) as settings:
        yield settings


async def command(settings: Settings, *arguments: str, status: int = 0) -> str:
    answer = await asyncio.to_thread(clinic_command, settings, "staff", *arguments)
    assert answer.returncode == status, answer.stderr
    return answer.stdout + answer.stderr


async def added(settings: Settings, email: str, *arguments: str) -> Any:
    return json.loads(await command(settings, "add", email, "--json", *arguments))


async def changes(settings: Settings) -> list[str]:
    events = [decode_security_event(record) for record in await records(settings, SECURITY_EVENTS_TOPIC)]
    assert all(isinstance(event, StaffAccountChanged) for event in events)
    return [event.change for event in events if isinstance(event, StaffAccountChanged)]


async def test_the_life_of_an_account(logged: Settings) -> None:
    made = await added(logged, "ann@example.com", "--admin")
    assert (made["email"], made["role"], len(made["recovery_codes"])) == ("ann@example.com", "admin", 10)
    uri = pyotp.parse_uri(made["uri"])
    assert isinstance(uri, pyotp.TOTP)
    assert (uri.secret, uri.name, uri.issuer) == (made["seed"], "ann@example.com", "Clinic")

    assert "already" in await command(logged, "add", "ANN@example.com", status=1)
    assert "0 logins" in await command(logged, "end-sessions", "ann@example.com")
    again = json.loads(await command(logged, "reset-factor", "ann@example.com", "--json"))
    assert again["password"] is None
    assert again["seed"] != made["seed"]
    await command(logged, "disable", "ann@example.com")
    [row] = [row for row in await accounts(logged) if row.email == "ann@example.com"]
    assert (row.state, row.role) == ("disabled", Role.ADMIN)
    assert "disabled" in await command(logged, "reset-factor", "ann@example.com", status=1)

    await added(logged, "ann@example.com")
    listed = json.loads(await command(logged, "list", "--json"))
    [anew] = [account for account in listed if account["email"] == "ann@example.com"]
    assert (anew["id"], anew["state"], anew["role"]) == (str(row.id), "enrolling", "staff")
    assert sorted(await changes(logged)) == sorted(
        ["added", "sessions_ended", "factor_reset", "disabled", "added"]
    )


async def add_passkey(settings: Settings, id_: UUID, number: int) -> None:
    handle, name = secrets.token_bytes(32), b"sealed"
    row = (id_, ActorKind.STAFF, handle, b"key", 0, False, name, clock.now())
    async with database(settings.postgres_dsn.get_secret_value(), "test") as pool:
        await pool.execute(PASSKEYS["add"], clock.new_id(), number.to_bytes(16, "big"), *row)


async def test_the_list_is_a_line_for_each_and_names_no_secret(logged: Settings) -> None:
    made = await add(logged, "bob@example.com", Role.STAFF)
    [account] = [row for row in await accounts(logged) if row.email == "bob@example.com"]
    for number in range(2):
        await add_passkey(logged, account.id, number)

    text = await command(logged, "list")

    [line] = [line for line in text.splitlines() if "bob@example.com" in line]
    assert line.split()[2:] == ["staff", "enrolling", "10", "2", "never"]
    assert str(made.password) not in text
    assert made.seed not in text


@pytest.mark.parametrize("name", ["disable", "end-sessions", "reset-factor"])
async def test_an_unknown_account_is_one_sentence(logged: Settings, name: str) -> None:
    assert await command(logged, name, "nobody@example.com", status=1) == (
        "There is no account for nobody@example.com.\n"
    )


async def test_an_address_that_is_none_is_misuse(logged: Settings) -> None:
    assert "has no @" in await command(logged, "add", "nobody", status=2)


async def test_two_that_add_the_same_at_once_make_one(logged: Settings) -> None:
    both = await asyncio.gather(
        *(add(logged, "eve@example.com", Role.STAFF) for _ in range(2)), return_exceptions=True
    )

    assert Counter(type(made) for made in both) == {Credentials: 1, MisconfiguredError: 1}
    await disable(logged, "eve@example.com")


@pytest.mark.parametrize(
    "password",
    ["short", "passwordpassword", "123456789012345", "qwertyuiopasdfgh", "ann@example.com1", "x" * 129],
)
def test_common_and_short_passwords_are_refused(password: str) -> None:
    assert weakness(password, ["ann@example.com", "Clinic"]) is not None


def test_a_good_one_is_not_and_is_kept_by_argon2id() -> None:
    assert weakness(GOOD, ["ann@example.com"]) is None
    assert hashed(GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
