"""Staff log in with a password and a code of their authenticator."""

import asyncio
from collections import Counter
from datetime import timedelta

import pyotp
import pytest

from contracts.security import LoginFailed, LoginSucceeded
from infra.signing_keys import SigningKeys
from infra.tokens import Role, TokenChecker
from ops.staff.accounts import disable, end_sessions, reset_factor
from ops.staff.credentials import Credentials
from tests.clinic import Clinic
from tests.http.asking import get, problem
from tests.http.login.logins import (
    COOKIE,
    LoggedIn,
    new_address,
    refresh,
    refreshed,
    security_events,
)
from tests.http.login.staff import age_enrolments, code_of, forget_steps, give, log_in_staff, member
from tests.waiting import until_async

WORDS = "seven unrelated quiet words"


async def may_work(clinic: Clinic, tokens: LoggedIn) -> bool:
    return (await clinic.http.get("/v1/me/sessions", headers=tokens.headers)).status_code == 200


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
async def test_password_and_code_give_tokens_of_the_role(shared: Clinic, role: Role) -> None:
    tokens = await log_in_staff(shared, await member(shared, role))

    keys = SigningKeys.load(shared.settings.signing_key_file)
    access = TokenChecker(keys).check(tokens.access_token)
    assert access is not None
    assert (access.role, access.methods) == (role, ("pwd", "otp", "mfa"))
    assert (await get(shared.http, "/v1/appointments", tokens.headers))["items"] == []
    assert await may_work(shared, await refreshed(shared, tokens))


async def test_the_answer_is_that_of_every_login(shared: Clinic) -> None:
    account = await member(shared)

    response = await give(shared, account, session="cookie", email=account.email.upper())

    assert list(response.json()) == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert response.json()["refresh_token"] is None
    assert response.headers["set-cookie"].startswith(COOKIE)


WRONG = {
    "password": {"password": "seven unrelated loud words"},
    "address": {"email": new_address()},
    "code": {"totp": "000000"},
    "recovery code": {"totp": "aaaa-aaaa-aaaa-aaaa"},
}


@pytest.mark.parametrize("part", WRONG)
async def test_no_answer_tells_which_part_was_wrong(shared: Clinic, part: str) -> None:
    account = await member(shared)
    if code_of(account) == "000000":
        account = await member(shared)

    response = await give(shared, account, **WRONG[part])

    problem(response, 401, "invalid_code")
    assert response.json()["detail"] == "The address, the password or the code is not valid."
    assert "tries_left" not in response.json()
    await log_in_staff(shared, account)


@pytest.mark.parametrize(
    ("field", "value"),
    [("totp", "12345"), ("totp", "1234567"), ("totp", None), ("password", ""), ("email", "nobody")],
)
async def test_a_field_that_cannot_be_right_is_named(shared: Clinic, field: str, value: str | None) -> None:
    body = {"email": new_address(), "password": WORDS, "totp": "123456", field: value}

    [error] = problem(await shared.http.post("/v1/auth/tokens", json=body), 422, "invalid_fields")

    assert error["pointer"] == f"/{field}"


async def test_a_code_counts_once_however_often_it_is_sent_at_once(shared: Clinic) -> None:
    account = await member(shared)
    code = code_of(account)

    responses = await asyncio.gather(*(give(shared, account, code) for _ in range(8)))

    assert Counter(response.status_code for response in responses) == {200: 1, 401: 7}
    problem(await give(shared, account, code), 401, "invalid_code")
    # An earlier one than the last that was used does not count either.
    ahead = code_of(account, 1)
    await log_in_staff(shared, account, ahead)
    for used in (code, ahead):
        problem(await give(shared, account, used), 401, "invalid_code")


async def test_a_recovery_code_stands_for_the_authenticator_once(shared: Clinic) -> None:
    account = await member(shared)
    code = account.recovery_codes[3]
    # The first login has to show that the authenticator works.
    problem(await give(shared, account, code), 401, "invalid_code")
    await log_in_staff(shared, account)

    await log_in_staff(shared, account, code.upper())

    problem(await give(shared, account, code), 401, "invalid_code")
    another = await member(shared, enrolled=True)
    problem(await give(shared, another, account.recovery_codes[4]), 401, "invalid_code")


async def test_an_authenticator_is_confirmed_within_a_day_or_never(shared: Clinic) -> None:
    late, in_time = await member(shared), await member(shared)
    await log_in_staff(shared, in_time)
    await age_enrolments(shared, timedelta(hours=24))

    problem(await give(shared, late), 401, "invalid_code")
    await log_in_staff(shared, in_time, code_of(in_time, 1))

    again = await reset_factor(shared.settings, late.email, new_password=True)
    await log_in_staff(shared, again)


async def test_what_the_database_holds_opens_nothing(shared: Clinic) -> None:
    account = await member(shared)

    tables = ("login.staff", "login.recovery_codes")
    rows = [await shared.postgres.fetch(f"SELECT t::text AS text FROM {table} t") for table in tables]
    assert all(rows)
    kept = "".join(row["text"] for found in rows for row in found)
    raw = pyotp.TOTP(account.seed).byte_secret().hex()
    secrets = (account.email, account.password, account.seed, account.seed.encode().hex(), raw)
    for secret in (*secrets, account.email.encode().hex(), *account.recovery_codes):
        assert str(secret) not in kept


class TestOperator:
    @pytest.fixture
    async def account(self, shared: Clinic) -> Credentials:
        return await member(shared)

    async def test_ends_all_logins(self, shared: Clinic, account: Credentials) -> None:
        first = await log_in_staff(shared, account)
        second = await log_in_staff(shared, account, code_of(account, 1))

        assert await end_sessions(shared.settings, account.email.upper()) == 2

        for tokens in (first, second):
            problem(await refresh(shared, tokens.refresh_token), 401, "unauthenticated")

            async def is_refused(tokens: LoggedIn = tokens) -> bool:
                return not await may_work(shared, tokens)

            await until_async(is_refused, "the access token does not count any more")
        await forget_steps(shared)
        await log_in_staff(shared, account)

    async def test_disables_an_account(self, shared: Clinic, account: Credentials) -> None:
        tokens = await log_in_staff(shared, account)

        await disable(shared.settings, account.email)

        problem(await refresh(shared, tokens.refresh_token), 401, "unauthenticated")
        problem(await give(shared, account, code_of(account, 1)), 401, "invalid_code")

    async def test_gives_a_new_factor_and_the_old_one_is_void(
        self, shared: Clinic, account: Credentials
    ) -> None:
        tokens = await log_in_staff(shared, account)

        again = await reset_factor(shared.settings, account.email)

        assert again.password is None
        problem(await refresh(shared, tokens.refresh_token), 401, "unauthenticated")
        problem(await give(shared, account, code_of(account, 1)), 401, "invalid_code")
        problem(await give(shared, account, account.recovery_codes[0]), 401, "invalid_code")
        await log_in_staff(shared, Credentials(**{**vars(again), "password": account.password}))


async def test_logins_are_recorded_as_theirs(shared: Clinic) -> None:
    account = await member(shared)
    await give(shared, account, "000000" if code_of(account) != "000000" else "000001")
    await log_in_staff(shared, account)
    id_ = await shared.postgres.fetchval("SELECT id FROM login.staff ORDER BY created_at DESC LIMIT 1")

    async def recorded() -> bool:
        mine = [event for event in await security_events(shared) if event.actor and event.actor.id == id_]
        kinds = Counter(type(event) for event in mine)
        return (kinds[LoginFailed], kinds[LoginSucceeded]) == (1, 1)

    await until_async(recorded, "both logins on the security log")


async def test_failures_are_counted_until_a_success_and_close_no_account(shared: Clinic) -> None:
    account = await member(shared)
    before = await shared.postgres.fetchval("SELECT count(*) FROM login.failures")
    await asyncio.gather(*(give(shared, account, password=WORDS) for _ in range(12)))

    count = await shared.postgres.fetchval("SELECT count FROM login.failures ORDER BY last_failed_at DESC")
    assert count == 12
    await log_in_staff(shared, account)
    assert await shared.postgres.fetchval("SELECT count(*) FROM login.failures") == before
