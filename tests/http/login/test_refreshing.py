"""Staying logged in by refresh tokens that work once."""

import asyncio
from datetime import timedelta

import jwt
import pytest

from contracts.cloudevents import decode_security_event
from contracts.security import TokenReused
from contracts.topics import SECURITY_EVENTS_TOPIC
from tests.clinic import Clinic, records
from tests.http.asking import problem
from tests.http.login.logins import (
    LoggedIn,
    age,
    end_reason,
    log_in,
    may_read,
    new_address,
    refresh,
    refreshed,
    session_of,
)


class TestRefreshing:
    async def test_gives_new_tokens_of_the_same_login(self, shared: Clinic) -> None:
        first = await log_in(shared, new_address())

        second = await refreshed(shared, first)
        third = await refreshed(shared, second)

        assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
        assert session_of(first) == session_of(second) == session_of(third)
        claims = [
            jwt.decode(tokens.access_token, options={"verify_signature": False}) for tokens in (first, third)
        ]
        # Refreshing proves nothing anew.
        assert claims[0]["auth_time"] == claims[1]["auth_time"]
        assert claims[0]["jti"] != claims[1]["jti"]
        assert await may_read(shared, third)

    async def test_no_token_is_kept_as_it_is(self, shared: Clinic) -> None:
        first = await log_in(shared, new_address())
        second = await refreshed(shared, first)

        rows = await shared.postgres.fetch("SELECT t::text FROM login.refresh_tokens t")

        text = " ".join(row["t"] for row in rows)
        for tokens in (first, second):
            assert tokens.refresh_token not in text
            assert tokens.refresh_token.encode().hex() not in text

    async def test_a_lost_answer_is_given_again(self, shared: Clinic) -> None:
        first = await log_in(shared, new_address())

        second, again = await refreshed(shared, first), await refreshed(shared, first)

        assert second.refresh_token == again.refresh_token
        assert (await refreshed(shared, second)).refresh_token != second.refresh_token

    async def test_parallel_requests_get_the_same_token(self, shared: Clinic) -> None:
        first = await log_in(shared, new_address())

        responses = await asyncio.gather(*(refresh(shared, first.refresh_token) for _ in range(10)))

        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["refresh_token"] for response in responses}) == 1

    async def test_a_token_that_is_used_again_ends_the_login(self, shared: Clinic) -> None:
        first = await log_in(shared, new_address())
        second = await refreshed(shared, first)
        third = await refreshed(shared, second)

        problem(await refresh(shared, first.refresh_token), 401, "unauthenticated")

        problem(await refresh(shared, third.refresh_token), 401, "unauthenticated")
        assert not await may_read(shared, third)
        assert await end_reason(shared, third) == "token_reused"
        found = [
            decode_security_event(record) for record in await records(shared.settings, SECURITY_EVENTS_TOPIC)
        ]
        reused = [event for event in found if isinstance(event, TokenReused)]
        assert session_of(third) in {str(event.family_id) for event in reused}

    async def test_the_grace_ends_after_30_seconds(self, shared: Clinic) -> None:
        first = await log_in(shared, new_address())
        second = await refreshed(shared, first)
        await age(shared, first, timedelta(seconds=31))

        problem(await refresh(shared, first.refresh_token), 401, "unauthenticated")

        problem(await refresh(shared, second.refresh_token), 401, "unauthenticated")

    @pytest.mark.parametrize(("hours", "goes_on"), [(7 * 24 - 1, True), (7 * 24 + 1, False)])
    async def test_a_login_that_is_not_used_ends(self, shared: Clinic, hours: int, goes_on: bool) -> None:
        tokens = await log_in(shared, new_address())
        await age(shared, tokens, timedelta(hours=hours))

        response = await refresh(shared, tokens.refresh_token)

        assert response.status_code == (200 if goes_on else 401)

    async def test_a_login_ends_however_often_it_is_used(self, shared: Clinic) -> None:
        tokens = await log_in(shared, new_address())
        for _ in range(6):
            await age(shared, tokens, timedelta(days=5))
            response = await refresh(shared, tokens.refresh_token)
            if response.status_code == 200:
                tokens = LoggedIn(response.json()["access_token"], response.json()["refresh_token"])

        problem(response, 401, "unauthenticated")

    @pytest.mark.parametrize("token", ["A" * 43, "é" * 43, "A" * 42, "A" * 10_000, ""])
    async def test_other_tokens_are_refused(self, shared: Clinic, token: str) -> None:
        response = await refresh(shared, token)

        assert response.status_code in (401, 422)
        assert token not in response.text or not token

    async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(self, shared: Clinic) -> None:
        tokens = await log_in(shared, new_address())

        assert (await refresh(shared, tokens.access_token)).status_code == 422
        headers = {"Authorization": f"Bearer {tokens.refresh_token}"}
        problem(await shared.http.get("/v1/me", headers=headers), 401, "unauthenticated")

    async def test_a_forgotten_patient_does_not_stay_logged_in(self, shared: Clinic) -> None:
        tokens = await log_in(shared, new_address())
        assert (await shared.http.delete("/v1/me", headers=tokens.headers)).status_code == 204

        problem(await refresh(shared, tokens.refresh_token), 401, "unauthenticated")
