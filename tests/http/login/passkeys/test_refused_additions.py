"""Passkeys that nobody gets, and those that go."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from contracts.security import ProfileField
from infra import clock
from infra.keys import Keys
from ingress.patients.undo import sign_undo
from ops.staff.accounts import add as add_account
from ops.staff.accounts import disable, reset_factor
from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.asking import get, problem
from tests.http.login.logins import LoggedIn, log_in, new_address, refresh, session_of
from tests.http.login.passkeys.devices import (
    WRONG,
    access,
    add,
    attempt,
    authenticator,
    give,
    listed,
    log_in_by_passkey,
    refused,
    registration,
)
from tests.http.login.staff import log_in_staff, member


class TestRegistration:
    @pytest.mark.parametrize("name", WRONG)
    async def test_made_for_something_else(self, shared: Clinic, patient: LoggedIn, name: str) -> None:
        asked = await registration(shared, patient)
        device = authenticator(shared).doing(**WRONG[name])

        refused(await give(shared, patient, asked, device.create(asked["public_key"])))

        assert await listed(shared, patient) == []

    async def test_another_persons_challenge(self, shared: Clinic, patient: LoggedIn) -> None:
        somebody_else = await log_in(shared, new_address())
        asked = await registration(shared, somebody_else)
        device = authenticator(shared)

        refused(await give(shared, patient, asked, device.create(asked["public_key"])))

        assert await listed(shared, patient) == []
        assert await listed(shared, somebody_else) == []

    async def test_a_challenge_counts_once(self, shared: Clinic, patient: LoggedIn) -> None:
        asked = await registration(shared, patient)
        devices = [authenticator(shared) for _ in range(4)]
        made = [device.create(asked["public_key"]) for device in devices]

        responses = await asyncio.gather(*(give(shared, patient, asked, passkey) for passkey in made))

        assert Counter(response.status_code for response in responses) == {201: 1, 401: 3}
        assert len(await listed(shared, patient)) == 1

    async def test_a_credential_that_is_somebody_elses(
        self, shared: Clinic, patient: LoggedIn, device: Authenticator
    ) -> None:
        thief = await log_in(shared, new_address())
        asked = await registration(shared, thief)
        [key] = device.keys

        refused(await give(shared, thief, asked, authenticator(shared).create(asked["public_key"], key.id)))

        assert await listed(shared, thief) == []
        assert session_of(await log_in_by_passkey(shared, device))

    async def test_others_neither_see_nor_remove_it(
        self, shared: Clinic, patient: LoggedIn, device: Authenticator
    ) -> None:
        somebody_else = await log_in(shared, new_address())
        [mine] = await listed(shared, patient)
        path = f"/v1/me/passkeys/{mine['id']}"

        problem(await shared.http.delete(path, headers=somebody_else.headers), 404, "not_found")

        assert await listed(shared, somebody_else) == []
        await log_in_by_passkey(shared, device)


class TestOperator:
    async def test_disables_an_account_and_its_passkeys(self, shared: Clinic) -> None:
        account = await member(shared)
        device = authenticator(shared)
        await add(shared, await log_in_staff(shared, account), device)
        tokens = await log_in_by_passkey(shared, device)

        await disable(shared.settings, account.email)

        refused(await attempt(shared, device))
        problem(await refresh(shared, tokens.refresh_token), 401, "unauthenticated")
        # Not those of before, even if the account is there again.
        await add_account(shared.settings, account.email, account.role, enrolled=True)
        refused(await attempt(shared, device))

    async def test_gives_a_new_factor_and_removes_passkeys(self, shared: Clinic) -> None:
        account = await member(shared)
        device = authenticator(shared)
        await add(shared, await log_in_staff(shared, account), device)

        await reset_factor(shared.settings, account.email)

        refused(await attempt(shared, device))

    async def test_an_account_disabled_in_the_meantime_adds_none(self, shared: Clinic) -> None:
        account = await member(shared)
        tokens = await log_in_staff(shared, account)
        asked = await registration(shared, tokens)
        await shared.postgres.execute(
            "UPDATE login.staff SET disabled_at = $2 WHERE id = $1",
            access(shared, tokens).actor.id,
            clock.now() - timedelta(seconds=1),
        )
        device = authenticator(shared)

        refused(await give(shared, tokens, asked, device.create(asked["public_key"])))


async def test_whoever_changed_the_address_does_not_come_back_by_one(
    shared: Clinic, patient: LoggedIn, device: Authenticator
) -> None:
    who, newer = access(shared, patient).actor.id, new_address()
    former = (await get(shared.http, "/v1/me", patient.headers))["email"]
    keys = Keys.load(shared.settings)
    link = f"/v1/undo/{sign_undo(keys, who, ProfileField.EMAIL, former)}"
    body = {"email": newer}
    changed = await shared.http.patch(f"/v1/patients/{who}", headers=shared.staff, json=body)
    assert changed.status_code == 200, changed.text
    await log_in_by_passkey(shared, device)

    assert (await shared.http.post(link, data={"undo": "yes"})).status_code == 200

    refused(await attempt(shared, device))
