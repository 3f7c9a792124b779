"""Ingresses add up what heavy users spend. Without Redis each counts for itself, and still refuses."""

import pytest
from pydantic import SecretStr

from infra import clock
from tests.clinic import Clinic, free_port
from tests.http.asking import problem
from tests.http.availability.offers import stop_the_clock
from tests.http.request_limits.asking import READ, left, limited, network, spend
from tests.waiting import until_async


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute does not end within a test."""
    stop_the_clock(monkeypatch, clock.now())


async def test_what_was_spent_at_another_ingress_counts(shared: Clinic) -> None:
    budget = {"requests_per_network_minute": 1_000}
    async with limited(shared, **budget) as first, limited(shared, **budget) as second:
        who = network()
        await spend(first, who, 600)
        await spend(second, who, 100)

        async def known() -> bool:
            return left(await second.get(READ, headers=who)).left < 1_000 - 600

        await until_async(known, "the second ingress knows of the first")
        while (response := await second.get(READ, headers=who)).status_code == 200:
            assert left(response).left < 1_000 - 600
        problem(response, 429, "rate_limited")
        assert left(await second.get(READ, headers=network())).left == 999


async def test_without_redis_each_ingress_has_a_budget_of_its_own(shared: Clinic) -> None:
    nobody = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
    budget = {"requests_per_network_minute": 20, "redis_url": nobody}
    async with limited(shared, **budget) as first, limited(shared, **budget) as second:
        who = network()
        for http in (first, second):
            await spend(http, who, 20)
            problem(await http.get(READ, headers=who), 429, "rate_limited")
