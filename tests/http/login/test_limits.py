"""Codes are mailed so often, a network fails so often, and no account is ever closed by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import structlog

from contracts.security import LoginFailed
from infra import clock
from infra.settings import Settings
from ingress.http.problems import Code
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic
from tests.http.asking import problem
from tests.http.login.logins import answer, ask, code_of, log_in, new_address, security_events, wrong
from tests.waiting import until_async


async def refused(clinic: Clinic, email: str) -> httpx.Response:
    response = await clinic.http.post("/v1/auth/challenges", json={"email": email})
    problem(response, 429, Code.RATE_LIMITED)
    return response


async def test_three_mails_an_hour_to_a_recipient(shared: Clinic) -> None:
    email = new_address()
    for spelling in (email, email.upper(), email.replace("example", "EXAMPLE")):
        await ask(shared, spelling)

    # What is refused is no mail: it does not count for the day.
    for _ in range(10):
        retry_after_s = int((await refused(shared, email)).headers["retry-after"])
        assert 3_500 < retry_after_s <= 3_601
    await ask(shared, new_address())


@asynccontextmanager
async def limited(settings: Settings, template: str, **limits: int) -> AsyncIterator[Clinic]:
    async with running_clinic(settings.model_copy(update=limits), template, worker=False) as clinic:
        yield clinic


async def test_a_network_asks_for_so_many_codes_an_hour(settings: Settings, template: str) -> None:
    async with limited(settings, template, login_challenges_per_network_hour=4) as clinic:
        for _ in range(4):
            await ask(clinic, new_address())
        await refused(clinic, new_address())


async def test_a_network_that_fails_often_is_refused_and_the_account_stays_open(
    settings: Settings, template: str
) -> None:
    async with limited(settings, template, login_failures_per_network_hour=2) as clinic:
        email = new_address()
        challenge_id = await ask(clinic, email)
        code = await code_of(clinic, challenge_id)
        for number in (1, 2):
            problem(await answer(clinic, challenge_id, wrong(code, number)), 401, "invalid_code")

        response = await answer(clinic, challenge_id, code)
        problem(response, 429, "rate_limited")

        assert 3_500 < int(response.headers["retry-after"]) <= 3_601
        own = {"X-Forwarded-For": "203.0.113.7"}  # from the proxy on this host: another network
        body = {"challenge_id": challenge_id, "code": code}
        assert (await clinic.http.post("/v1/auth/tokens", json=body, headers=own)).status_code == 200


async def test_a_right_code_that_is_sent_again_is_no_failure(settings: Settings, template: str) -> None:
    async with limited(settings, template, login_failures_per_network_hour=2) as clinic:
        challenge_id = await ask(clinic, new_address())
        code = await code_of(clinic, challenge_id)
        sent = await asyncio.gather(*(answer(clinic, challenge_id, code) for _ in range(4)))
        assert sorted(response.status_code for response in sent) == [200, 401, 401, 401]
        for _ in range(3):
            again = await answer(clinic, challenge_id, code)
            problem(again, 401, Code.INVALID_CODE)
            assert again.json()["detail"] == "The code was used already. Please ask for a new one."
        assert await clinic.postgres.fetchval("SELECT count(*) FROM login.failures") == 0

        for number in (1, 2):
            problem(await answer(clinic, challenge_id, wrong(code, number)), 401, Code.INVALID_CODE)
        problem(await answer(clinic, challenge_id, code), 429, Code.RATE_LIMITED)

        async def recorded() -> bool:
            failed = [event for event in await security_events(clinic) if isinstance(event, LoginFailed)]
            assert len(failed) <= 2, "the wrong ones alone"
            return len(failed) == 2

        await until_async(recorded, "both wrong codes on the security log")


async def test_unusually_many_failures_are_an_alert_and_nobody_is_refused(
    settings: Settings, template: str
) -> None:
    async with limited(settings, template, login_failures_alert_hour=2) as clinic:
        challenge_id = await ask(clinic, new_address())
        code = await code_of(clinic, challenge_id)
        with structlog.testing.capture_logs() as lines:
            for number in (1, 2, 3):
                await answer(clinic, challenge_id, wrong(code, number))

        alerts = [line for line in lines if line["log_level"] == "error"]
        assert [line["event"] for line in alerts] == ["unusually many logins fail: somebody may be guessing"]
        assert (await answer(clinic, challenge_id, code)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/auth/challenges", "/v1/auth/tokens"])
async def test_without_redis_nobody_logs_in_and_whoever_is_logged_in_stays(
    settings: Settings, template: str, path: str
) -> None:
    gone = settings.model_copy(update={"redis_url": settings.redis_url.__class__("redis://127.0.0.1:1/0")})
    async with running_clinic(gone, template, worker=False) as clinic:
        bodies = {
            "/v1/auth/challenges": {"email": new_address()},
            "/v1/auth/tokens": {"challenge_id": str(clock.new_id()), "code": "12345678"},
        }
        problem(await clinic.http.post(path, json=bodies[path]), 503, "store_unavailable")
        patient = await clinic.patient()
        assert (await clinic.http.get("/v1/me", headers=patient.headers)).status_code == 200


async def test_a_login_needs_nothing_but_its_code(shared: Clinic) -> None:
    email = new_address()
    first, second = await log_in(shared, email), await log_in(shared, email)

    assert first.access_token != second.access_token
