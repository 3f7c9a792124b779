"""A code that cannot have been sent leaves the recipient's mails as they were; else it counts."""

from dataclasses import replace

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from contracts.topics import LOGIN_CHALLENGES_TOPIC
from ingress.http.problems import Code
from ingress.login import challenges
from ingress.login.limits import MAILS_PER_HOUR
from ops.embedded import EmbeddedStack
from tests.clinic import Clinic, free_port, ingress
from tests.delivery.test_outages import killed
from tests.http.asking import problem
from tests.http.login.logins import ask, new_address
from tests.http.patients.contact_changes import ask_for
from tests.waiting import until_async

PATH = "/v1/auth/challenges"
RECOVERY_TIMEOUT_S = 60.0


async def in_vain(http: httpx.AsyncClient, email: str, code: Code) -> None:
    for _ in range(MAILS_PER_HOUR.amount):
        problem(await http.post(PATH, json={"email": email}), 503, code)


async def all_mails_are_left(clinic: Clinic, email: str) -> None:
    for _ in range(MAILS_PER_HOUR.amount):
        await ask(clinic, email)
    problem(await clinic.http.post(PATH, json={"email": email}), 429, Code.RATE_LIMITED)


async def test_that_the_producer_never_took(shared: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    email, port = new_address(), free_port()
    missing = replace(LOGIN_CHALLENGES_TOPIC, name="auth.missing.v1")
    monkeypatch.setattr(challenges, "LOGIN_CHALLENGES_TOPIC", missing)
    own = shared.settings.model_copy(
        update={"port": port, "url": f"http://127.0.0.1:{port}", "kafka_ack_timeout_ms": 500}
    )
    async with ingress(own) as other:
        await in_vain(other, email, Code.LOG_UNAVAILABLE)

    await all_mails_are_left(shared, email)


async def test_that_waits_in_the_producer_counts(supervised: Clinic, stack: EmbeddedStack) -> None:
    email = new_address()
    await ask(supervised, new_address())
    async with killed(stack.processes["kafka"]):
        await in_vain(supervised.http, email, Code.LOG_UNAVAILABLE)

    async def refused() -> bool:
        return (await supervised.http.post(PATH, json={"email": email})).status_code == 429

    await until_async(refused, "the three codes may be mailed now", RECOVERY_TIMEOUT_S)


@pytest.mark.parametrize("kind", ["login", "email", "phone"])
async def test_that_redis_did_not_keep(shared: Clinic, kind: str) -> None:
    email, number = new_address(), "+4930123457"
    patient = await shared.patient()

    async def unreachable(*_: object, **__: object) -> None:
        raise RedisConnectionError("closed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Redis, "set", unreachable)
        if kind == "login":
            await in_vain(shared.http, email, Code.STORE_UNAVAILABLE)
        for _ in range(MAILS_PER_HOUR.amount if kind != "login" else 0):
            body = {kind: email if kind == "email" else number}
            sent = await shared.http.post(f"/v1/me/{kind}", json=body, headers=patient.headers)
            problem(sent, 503, Code.STORE_UNAVAILABLE)

    if kind == "login":
        await all_mails_are_left(shared, email)
    else:
        await ask_for(shared, patient, kind, email if kind == "email" else number)
