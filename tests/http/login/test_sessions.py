"""Logging out, and seeing one's logins."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from contracts.cloudevents import decode_security_event
from contracts.security import SessionEnded
from contracts.topics import SECURITY_EVENTS_TOPIC
from storage.login.sessions import Sessions
from tests.clinic import Clinic, ingress, records
from tests.clinic import free_port as a_port
from tests.http.asking import get, problem
from tests.http.login.logins import age, log_in, may_read, new_address, refresh, session_of
from tests.waiting import until_async


class TestLoggingOut:
    @pytest.mark.parametrize("by", ["refresh token", "access token"])
    async def test_ends_the_login_with_all_its_tokens(self, shared: Clinic, by: str) -> None:
        tokens = await log_in(shared, new_address())
        request: dict[str, Any] = (
            {"json": {"refresh_token": tokens.refresh_token}}
            if by == "refresh token"
            else {"headers": tokens.headers}
        )

        for _ in range(2):
            response = await shared.http.post("/v1/auth/logout", **request)
            assert (response.status_code, response.content) == (204, b"")

        assert not await may_read(shared, tokens)
        problem(await refresh(shared, tokens.refresh_token), 401, "unauthenticated")
        found = [
            decode_security_event(record) for record in await records(shared.settings, SECURITY_EVENTS_TOPIC)
        ]
        ended = Counter(str(event.family_id) for event in found if isinstance(event, SessionEnded))
        assert ended[session_of(tokens)] == 1

    async def test_without_any_token_changes_nothing(self, shared: Clinic) -> None:
        assert (await shared.http.post("/v1/auth/logout")).status_code == 204

    async def test_is_known_at_other_ingresses_soon(self, shared: Clinic) -> None:
        tokens = await log_in(shared, new_address())
        port = a_port()
        own = shared.settings.model_copy(update={"port": port, "url": f"http://127.0.0.1:{port}"})
        async with ingress(own) as other:
            assert (await other.get("/v1/me", headers=tokens.headers)).status_code == 200
            await shared.http.post("/v1/auth/logout", json={"refresh_token": tokens.refresh_token})

            async def refused() -> bool:
                return (await other.get("/v1/me", headers=tokens.headers)).status_code == 401

            await until_async(refused, "the other ingress knows of the logout", 30)


class TestMyLogins:
    async def test_are_listed_and_can_be_ended(self, shared: Clinic) -> None:
        email = new_address()
        phone, laptop = await log_in(shared, email), await log_in(shared, email)

        items = (await get(shared.http, "/v1/me/sessions", laptop.headers))["items"]

        assert {item["id"]: item["current"] for item in items} == {
            session_of(phone): False,
            session_of(laptop): True,
        }
        assert [(item["role"], item["methods"]) for item in items] == [("patient", ["otp"])] * 2
        path = f"/v1/me/sessions/{session_of(phone)}"
        assert (await shared.http.delete(path, headers=laptop.headers)).status_code == 204
        problem(await shared.http.delete(path, headers=laptop.headers), 404, "not_found")
        assert not await may_read(shared, phone)
        assert await may_read(shared, laptop)
        assert len((await get(shared.http, "/v1/me/sessions", laptop.headers))["items"]) == 1

    async def test_can_all_be_ended_at_once(self, shared: Clinic) -> None:
        email = new_address()
        phone, laptop = await log_in(shared, email), await log_in(shared, email)
        somebody_else = await log_in(shared, new_address())

        response = await shared.http.delete("/v1/me/sessions", headers=laptop.headers)

        assert response.status_code == 204
        may = [await may_read(shared, tokens) for tokens in (phone, laptop, somebody_else)]
        assert may == [False, False, True]

    async def test_of_others_are_neither_shown_nor_ended(self, shared: Clinic) -> None:
        mine, theirs = await log_in(shared, new_address()), await log_in(shared, new_address())

        listed = (await get(shared.http, "/v1/me/sessions", mine.headers))["items"]
        response = await shared.http.delete(f"/v1/me/sessions/{session_of(theirs)}", headers=mine.headers)

        assert [item["id"] for item in listed] == [session_of(mine)]
        problem(response, 404, "not_found")
        assert await may_read(shared, theirs)

    async def test_old_ones_are_deleted(self, shared: Clinic) -> None:
        tokens = await log_in(shared, new_address())
        await age(shared, tokens, timedelta(days=61))
        await Sessions(shared.postgres).delete_old()

        left = "SELECT (SELECT count(*) FROM login.sessions WHERE id = $1)"
        left += " + (SELECT count(*) FROM login.refresh_tokens WHERE session_id = $1)"
        assert await shared.postgres.fetchval(left, session_of(tokens)) == 0
