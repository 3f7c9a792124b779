"""Passkeys that are refused: every answer is the same, and the security log knows why."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import structlog

from contracts.security import LoginFailed
from infra.crypto.sealing import from_base64url, to_base64url
from infra.redis import connect
from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.asking import problem
from tests.http.login.logins import (
    LoggedIn,
    ask,
    log_in,
    new_address,
    security_events,
)
from tests.http.login.logins import answer as answer_code
from tests.http.login.passkeys.devices import (
    WRONG,
    add,
    answer,
    attempt,
    authenticator,
    challenge,
    give,
    listed,
    log_in_by_passkey,
    refused,
    registration,
)
from tests.waiting import until_async


async def reasons(clinic: Clinic, challenge_id: str) -> list[tuple[str, str | None]]:
    """Why logins with this challenge failed, and whose they were, as recorded."""
    return [
        (event.reason, str(event.actor.id) if event.actor else None)
        for event in await security_events(clinic)
        if isinstance(event, LoginFailed) and str(event.challenge_id) == challenge_id
    ]


async def recorded(clinic: Clinic, asked: Any, reason: str) -> None:
    async def is_there() -> bool:
        return [found for found, _ in await reasons(clinic, asked["challenge_id"])] == [reason]

    await until_async(is_there, f"{reason} on the security log")


class TestLogin:
    @pytest.mark.parametrize("name", WRONG)
    async def test_signed_for_something_else(self, shared: Clinic, device: Authenticator, name: str) -> None:
        asked = await challenge(shared)

        refused(await answer(shared, asked, device.doing(**WRONG[name]).get(asked["public_key"])))

        await recorded(shared, asked, "wrong_passkey")
        await log_in_by_passkey(shared, device)

    async def test_an_unknown_passkey_and_a_wrong_signature_are_answered_alike(
        self, shared: Clinic, device: Authenticator
    ) -> None:
        stranger = authenticator(shared)
        stranger.create((await registration(shared, await log_in(shared, new_address())))["public_key"])
        first, second = await challenge(shared), await challenge(shared)
        forged = device.get(second["public_key"])
        signature = from_base64url(forged["response"]["signature"])
        assert signature is not None
        forged["response"]["signature"] = to_base64url(signature[:-1] + bytes([signature[-1] ^ 1]))

        unknown = await answer(shared, first, stranger.get(first["public_key"]))
        wrong = await answer(shared, second, forged)

        refused(unknown)
        refused(wrong)
        assert unknown.content == wrong.content
        await recorded(shared, first, "unknown_passkey")
        await recorded(shared, second, "wrong_passkey")

    async def test_a_challenge_counts_once_however_often_it_is_answered_at_once(
        self, shared: Clinic, device: Authenticator
    ) -> None:
        asked = await challenge(shared)
        passkeys = [device.get(asked["public_key"]) for _ in range(6)]

        responses = await asyncio.gather(*(answer(shared, asked, passkey) for passkey in passkeys))

        assert Counter(response.status_code for response in responses) == {200: 1, 401: 5}
        refused(await answer(shared, asked, device.get(asked["public_key"])))

    async def test_a_wrong_answer_ends_the_challenge(self, shared: Clinic, device: Authenticator) -> None:
        asked = await challenge(shared)
        refused(await answer(shared, asked, device.doing(is_verified=False).get(asked["public_key"])))
        refused(await answer(shared, asked, device.get(asked["public_key"])))

    async def test_a_replay_for_another_challenge(self, shared: Clinic, device: Authenticator) -> None:
        first, second = await challenge(shared), await challenge(shared)
        seen = device.get(first["public_key"])
        assert (await answer(shared, first, seen)).status_code == 200

        refused(await answer(shared, second, seen))

    async def test_challenges_are_good_for_what_they_were_made_for(
        self, shared: Clinic, patient: LoggedIn, device: Authenticator
    ) -> None:
        for_adding, for_login = await registration(shared, patient), await challenge(shared)
        options = {**for_adding["public_key"], "rpId": "localhost"}
        refused(await answer(shared, for_adding, device.get(options)))
        new = {**for_adding["public_key"], "challenge": for_login["public_key"]["challenge"]}
        new["excludeCredentials"] = []
        refused(await give(shared, patient, for_login, device.create(new)))
        mailed = await ask(shared, new_address())
        refused(await answer(shared, {"challenge_id": mailed}, device.get(for_login["public_key"])))
        problem(await answer_code(shared, for_login["challenge_id"], "00000000"), 401, "invalid_code")

    async def test_an_old_challenge(self, shared: Clinic, device: Authenticator) -> None:
        asked = await challenge(shared)
        redis = connect(shared.settings)
        name = f"{shared.settings.namespace}passkey:{asked['challenge_id']}"
        left_ms = await redis.pttl(name)
        sealed: Any = await redis.get(name)
        await redis.delete(name)
        await redis.aclose()

        assert 290_000 < left_ms <= 300_000
        assert asked["public_key"]["challenge"].encode() not in sealed
        refused(await answer(shared, asked, device.get(asked["public_key"])))
        await recorded(shared, asked, "challenge_over")

    async def test_a_counter_that_goes_back(
        self, shared: Clinic, patient: LoggedIn, device: Authenticator
    ) -> None:
        copied = device.doing(keys=[replace(key) for key in device.keys])
        await log_in_by_passkey(shared, device)
        await log_in_by_passkey(shared, device)
        asked = await challenge(shared)

        with structlog.testing.capture_logs() as lines:
            refused(await answer(shared, asked, copied.get(asked["public_key"])))

        await recorded(shared, asked, "sign_count_back")
        [(_, owner)] = await reasons(shared, asked["challenge_id"])
        [passkey] = await listed(shared, patient)
        errors = [line for line in lines if line["log_level"] == "error"]
        assert [line["passkey"] for line in errors] == [passkey["id"]]
        assert owner is not None
        # The owner's own one still counts.
        await log_in_by_passkey(shared, device)

    async def test_authenticators_that_do_not_count(self, shared: Clinic, patient: LoggedIn) -> None:
        device = authenticator(shared, counts=False, is_synced=True)
        await add(shared, patient, device)
        await log_in_by_passkey(shared, device)
        await log_in_by_passkey(shared, device)
        # Once it counted, it does not stop.
        await log_in_by_passkey(shared, counting := device.doing(counts=True))
        refused(await attempt(shared, counting.doing(counts=False)))

    async def test_another_persons_handle(self, shared: Clinic, device: Authenticator) -> None:
        theirs = authenticator(shared)
        await add(shared, await log_in(shared, new_address()), theirs)
        [mine], [other] = device.keys, theirs.keys
        mine.user_handle = other.user_handle

        refused(await attempt(shared, device))

    async def test_a_forgotten_patient(
        self, shared: Clinic, patient: LoggedIn, device: Authenticator
    ) -> None:
        asked = await registration(shared, patient)
        assert (await shared.http.delete("/v1/me", headers=patient.headers)).status_code == 204

        refused(await attempt(shared, device))

        late = authenticator(shared).create(asked["public_key"])
        refused(await give(shared, patient, asked, late))
        response = await shared.http.post("/v1/me/passkeys/options", headers=patient.headers)
        problem(response, 404, "not_found")
        handle = device.keys[0].user_handle
        count = "SELECT count(*) FROM login.passkeys WHERE user_handle = $1"
        assert await shared.postgres.fetchval(count, handle) == 0
