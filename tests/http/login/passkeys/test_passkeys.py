"""Patients and staff add passkeys, and log in by them."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.security import LoginSucceeded, PasskeyAdded, PasskeyRemoved
from infra.tokens import Role
from storage.login.passkeys import PASSKEYS_MAX
from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.asking import get, pointers, problem
from tests.http.login.logins import COOKIE, LoggedIn, age, refreshed, security_events
from tests.http.login.passkeys.devices import (
    access,
    add,
    attempt,
    authenticator,
    challenge,
    give,
    listed,
    log_in_by_passkey,
    registration,
)
from tests.http.login.staff import log_in_staff, member


class TestPatients:
    @pytest.mark.parametrize(("is_synced", "key"), [(False, "hwk"), (True, "swk")])
    async def test_log_in_without_their_address(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator, is_synced: bool, key: str
    ) -> None:
        new_device = new_device.doing(is_synced=is_synced)
        added = await add(shared, patient, new_device)
        assert (added["synced"], added["used_at"]) == (is_synced, None)

        tokens = await log_in_by_passkey(shared, new_device)

        before, after = access(shared, patient), access(shared, tokens)
        assert (after.actor, after.role) == (before.actor, Role.PATIENT)
        assert after.methods == (key, "user", "mfa")
        assert after.session_id != before.session_id
        assert after.is_recent()
        await refreshed(shared, tokens)
        [used] = await listed(shared, tokens)
        assert used == added | {"used_at": used["used_at"]}
        assert used["used_at"] is not None

    async def test_get_the_refresh_token_in_the_cookie_if_a_page_asks(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator
    ) -> None:
        await add(shared, patient, new_device)

        response = await attempt(shared, new_device, session="cookie")

        assert response.json()["refresh_token"] is None
        assert response.headers["set-cookie"].startswith(COOKIE)

    async def test_may_do_afterwards_what_needs_a_new_login(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator
    ) -> None:
        await add(shared, patient, new_device)
        await age(shared, patient, timedelta(minutes=6))
        old = await refreshed(shared, patient)
        problem(await shared.http.get("/v1/me/export", headers=old.headers), 401, "step_up_required")

        tokens = await log_in_by_passkey(shared, new_device)

        assert (await shared.http.get("/v1/me/export", headers=tokens.headers)).status_code == 200

    async def test_need_a_login_of_the_last_minutes_to_add_one(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator
    ) -> None:
        asked = await registration(shared, patient)
        await age(shared, patient, timedelta(minutes=6))
        old = await refreshed(shared, patient)

        problem(
            await shared.http.post("/v1/me/passkeys/options", headers=old.headers), 401, "step_up_required"
        )
        given = await give(shared, old, asked, new_device.create(asked["public_key"]))
        problem(given, 401, "step_up_required")
        assert await listed(shared, old) == []

    async def test_have_several_and_remove_one(self, shared: Clinic, patient: LoggedIn) -> None:
        phone, key = authenticator(shared), authenticator(shared)
        on_phone = await add(shared, patient, phone, "  my phone ")
        on_key = await add(shared, patient, key, "the blue key")
        assert [passkey["name"] for passkey in await listed(shared, patient)] == ["my phone", "the blue key"]
        # The same person for both authenticators, who says nothing of who they are.
        [first], [second] = phone.keys, key.keys
        assert first.user_handle == second.user_handle
        assert access(shared, patient).actor.id.bytes not in first.user_handle

        path = f"/v1/me/passkeys/{on_phone['id']}"
        assert (await shared.http.delete(path, headers=patient.headers)).status_code == 204

        problem(await shared.http.delete(path, headers=patient.headers), 404, "not_found")
        assert [passkey["id"] for passkey in await listed(shared, patient)] == [on_key["id"]]
        problem(await attempt(shared, phone), 401, "invalid_code")
        await log_in_by_passkey(shared, key)

    async def test_have_so_many_at_most(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator
    ) -> None:
        early = await registration(shared, patient)
        for _ in range(PASSKEYS_MAX):
            await add(shared, patient, new_device.doing(keys=[]))

        response = await shared.http.post("/v1/me/passkeys/options", headers=patient.headers)
        problem(response, 409, "too_many_passkeys")
        given = await give(shared, patient, early, new_device.create(early["public_key"]))
        problem(given, 401, "invalid_code")

    async def test_have_them_in_the_file_of_their_data(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator
    ) -> None:
        added = await add(shared, patient, new_device)
        assert (await get(shared.http, "/v1/me/export", patient.headers))["passkeys"] == [added]

    async def test_are_the_only_ones_who_can_read_the_names(
        self, shared: Clinic, patient: LoggedIn, new_device: Authenticator
    ) -> None:
        added = await add(shared, patient, new_device, "canary name")
        row = await shared.postgres.fetchval(
            "SELECT p::text FROM login.passkeys p WHERE id = $1", UUID(added["id"])
        )
        assert b"canary name".hex() not in row


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
async def test_staff_log_in_without_a_password(shared: Clinic, new_device: Authenticator, role: Role) -> None:
    by_password = await log_in_staff(shared, await member(shared, role))
    await add(shared, by_password, new_device)

    tokens = await log_in_by_passkey(shared, new_device)

    before, after = access(shared, by_password), access(shared, tokens)
    assert (after.actor, after.role, after.methods) == (before.actor, role, ("hwk", "user", "mfa"))
    assert (await shared.http.get("/v1/appointments", headers=tokens.headers)).status_code == 200


async def test_a_person_without_an_account_gets_none(shared: Clinic) -> None:
    response = await shared.http.post("/v1/me/passkeys/options", headers=shared.staff)
    problem(response, 404, "not_found")


async def test_options_are_for_this_clinic_and_name_nobody(
    shared: Clinic, patient: LoggedIn, new_device: Authenticator
) -> None:
    added = await add(shared, patient, new_device)

    asked, again = await challenge(shared), await challenge(shared)

    options = asked["public_key"]
    assert (options["rpId"], options["allowCredentials"]) == ("localhost", [])
    assert options["challenge"] != again["public_key"]["challenge"]
    new = (await registration(shared, patient))["public_key"]
    assert [excluded["id"] for excluded in new["excludeCredentials"]] == [new_device.get(options)["id"]]
    assert added["id"] not in str(new)


FIELDS: dict[str, dict[str, Any]] = {
    "/passkey/id": {"id": "not base64url!"},
    "/passkey/type": {"type": "password"},
    "/passkey/response/signature": {"signature": 7},
    "/passkey/response/clientDataJSON": {"clientDataJSON": "A" * 4097},
}


@pytest.mark.parametrize("pointer", FIELDS)
async def test_a_field_that_cannot_be_right_is_named(
    shared: Clinic, patient: LoggedIn, new_device: Authenticator, pointer: str
) -> None:
    await add(shared, patient, new_device)
    asked = await challenge(shared)
    passkey = new_device.get(asked["public_key"])
    [(name, value)] = FIELDS[pointer].items()
    (passkey if name in passkey else passkey["response"])[name] = value

    body = {"challenge_id": asked["challenge_id"], "passkey": passkey}
    assert pointers(await shared.http.post("/v1/auth/tokens", json=body)) == [pointer]


async def test_each_change_and_use_is_recorded(
    shared: Clinic, patient: LoggedIn, new_device: Authenticator
) -> None:
    added = await add(shared, patient, new_device)
    tokens = await log_in_by_passkey(shared, new_device)
    await shared.http.delete(f"/v1/me/passkeys/{added['id']}", headers=tokens.headers)

    events = [
        event
        for event in await security_events(shared)
        if str(getattr(event, "passkey_id", None)) == added["id"]
    ]

    who = access(shared, patient).actor
    assert Counter(type(event) for event in events) == {PasskeyAdded: 1, LoginSucceeded: 1, PasskeyRemoved: 1}
    assert {(event.actor.kind, event.actor.id) for event in events} == {(who.kind, who.id)}
    [login] = [event for event in events if isinstance(event, LoginSucceeded)]
    assert login.family_id == access(shared, tokens).session_id
