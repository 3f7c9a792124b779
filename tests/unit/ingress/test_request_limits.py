"""Budgets of a minute: counted here, shared with other ingresses, and spent by computations on the way."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest
import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from contracts.commands import Actor, ActorKind
from infra import clock
from infra.settings import Settings
from infra.tokens import Access, Role
from ingress.availability.cache import Answer, AvailabilityCache, Query
from ingress.http.network import Network
from ingress.http.problems import Code, Problem
from ingress.request_limits import budgets
from ingress.request_limits.budgets import Budget, RequestLimits
from ingress.request_limits.turns import Turns
from tests.waiting import beside

NOW = datetime(2026, 12, 1, 9, 30, 17, tzinfo=UTC)
ENDS_AT_S = int(datetime(2026, 12, 1, 9, 31, tzinfo=UTC).timestamp())
HOME = Network("192.0.2.1")


class Counts:
    """What Redis would have counted; `away` while it does not answer."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.away = False

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        assert expiry == 120
        await asyncio.sleep(0)
        if self.away:
            raise RedisConnectionError
        self.totals[key] = self.totals.get(key, 0) + amount
        return self.totals[key]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, NOW)


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)


def limits(counts: Counts | None = None, **settings: int) -> RequestLimits:
    found = RequestLimits(Settings(**cast(Any, settings)), Redis())
    found._storage = cast(RedisStorage, counts)
    return found


def budget(units: int) -> Budget:
    return Budget(RateLimitItemPerMinute(units, namespace="network"), "192.0.2.1", ENDS_AT_S, set())


def refused(spent: Budget) -> Problem:
    with pytest.raises(Problem) as problem:
        spent.spend(1)
    assert problem.value.code is Code.RATE_LIMITED
    return problem.value


def test_a_crowd_behind_one_address_does_not_meet_the_usual_limits() -> None:
    # The pages ask for some 30 things at the start, each clinic's list of 50 doctors among them.
    people = 500
    home = RequestLimits(Settings(), Redis()).of(HOME)
    for _ in range(people):
        home.spend(30 + 50)
    assert b"r=20000" in dict(home.fields())[b"ratelimit"]


def test_the_last_use_may_go_beyond() -> None:
    spent = budget(10)
    spent.spend(9)
    spent.spend(5)
    assert dict(spent.fields()) == {
        b"ratelimit-policy": b'"network";q=10;w=60',
        b"ratelimit": b'"network";r=0;t=43',
    }
    assert refused(spent).headers == {"Retry-After": "43"}
    assert spent.spent == 14, "a refusal costs nothing"


@pytest.mark.parametrize("later", [timedelta(seconds=43), timedelta(hours=-1)])
def test_another_minute_begins_anew(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    known = limits(requests_per_network_minute=1)
    known.of(HOME).spend(1)
    refused(known.of(HOME))
    at(monkeypatch, NOW + timedelta(seconds=42))
    refused(known.of(HOME))
    at(monkeypatch, NOW + later)
    known.of(HOME).spend(1)


@pytest.mark.parametrize(
    ("role", "policy"), [(Role.PATIENT, b"patient"), (Role.STAFF, b"staff"), (Role.ADMIN, b"staff")]
)
def test_people_have_the_budget_of_their_role(role: Role, policy: bytes) -> None:
    def access(id_: int) -> Access:
        kind = ActorKind.PATIENT if role is Role.PATIENT else ActorKind.STAFF
        return Access(Actor(kind=kind, id=UUID(int=id_)), role, UUID(int=id_), 0, (), 0)

    known = limits(requests_per_patient_minute=2, requests_per_staff_minute=2, requests_per_network_minute=9)
    known.of(access(1)).spend(2)
    refused(known.of(access(1)))
    assert dict(known.of(access(2)).fields())[b"ratelimit-policy"] == b'"%b";q=2;w=60' % policy


async def test_heavy_use_is_shared_and_light_use_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "SHARE_INTERVAL_S", 0)
    counts = Counts()
    first, second = [limits(counts, requests_per_network_minute=100) for _ in range(2)]
    first.of(HOME).spend(9)
    async with beside(first.run()), beside(second.run()):
        assert counts.totals == {}

        first.of(HOME).spend(51)
        second.of(HOME).spend(30)
        await settled()
        assert list(counts.totals.values()) == [90]
        assert first.of(HOME).spent >= 60
        second.of(HOME).spend(10)
        await settled()
        assert second.of(HOME).spent == 100
        refused(second.of(HOME))
        second.of(Network("192.0.2.2")).spend(1)


async def test_what_is_spent_while_it_is_shared_counts_once() -> None:
    counts, spent = Counts(), budget(100)
    spent.spend(50)
    sharing = asyncio.create_task(spent.share(cast(RedisStorage, counts)))
    await asyncio.sleep(0)
    spent.spend(5)
    await sharing
    assert spent.spent == 55
    await spent.share(cast(RedisStorage, counts))
    assert list(counts.totals.values()) == [55]

    counts.totals.clear()  # Redis was wiped
    spent.spend(1)
    await spent.share(cast(RedisStorage, counts))
    assert spent.spent == 56


async def test_without_redis_it_is_counted_here_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "SHARE_INTERVAL_S", 0)
    counts = Counts()
    counts.away = True
    known = limits(counts, requests_per_network_minute=100)
    with structlog.testing.capture_logs() as lines:
        async with beside(known.run()):
            for _ in range(10):
                known.of(HOME).spend(10)
                await settled()
            refused(known.of(HOME))
            assert [line["event"] for line in lines] == ["requests are counted by this process alone"]

            counts.away = False
            await settled()
            assert list(counts.totals.values()) == [100], "what was spent meanwhile"


async def test_a_spent_budget_refuses_its_own_caller_only(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answer(b"{}", '"tag"', 1, NOW + timedelta(days=1))
    turn = asyncio.Event()

    async def compute(_: AvailabilityCache, query: Query, paid_by: Budget) -> Answer:
        await turn.wait()
        paid_by.spend(4)
        return answer

    async def fetch(*_: object) -> list[dict[str, object]]:
        return [{"doctor_id": UUID(int=1), "version": 1, "tableoid": 1}]

    monkeypatch.setattr(AvailabilityCache, "_compute", compute)
    cache = AvailabilityCache(cast(asyncpg.Pool, SimpleNamespace(fetch=fetch)), 0, Turns())
    poor, rich = budget(1), budget(100)
    poor.spend(1)
    query = Query(UUID(int=1), None, None, None)
    asked = [asyncio.create_task(cache.answer(query, paid_by)) for paid_by in (poor, rich, rich)]
    await settled()
    turn.set()
    first, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, Problem)
    assert first.code is Code.RATE_LIMITED
    assert others == [answer, answer]
    assert rich.spent == 4, "computed once"


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
