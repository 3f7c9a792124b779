"""Each patient, member of staff and network has a budget, and the answers say how much is left of it."""

from datetime import timedelta

import httpx
import pytest

from contracts.commands import Actor, ActorKind
from infra import clock
from tests.clinic import Clinic
from tests.http.asking import problem
from tests.http.availability.offers import stop_the_clock
from tests.http.request_limits.asking import READ, Left, left, limited, network, spend

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute does not end within a test."""
    stop_the_clock(monkeypatch, clock.now().replace(second=17, microsecond=0))


def staff() -> Actor:
    return Actor(kind=ActorKind.STAFF, id=clock.new_id())


async def refused(http: httpx.AsyncClient, who: dict[str, str]) -> httpx.Response:
    response = await http.get(READ, headers=who)
    problem(response, 429, "rate_limited")
    return response


async def test_every_answer_says_how_much_is_left(shared: Clinic) -> None:
    async with limited(shared, requests_per_network_minute=1_000) as http:
        who = network()
        answers = [
            await http.get(READ, headers=who),
            await http.get("/v1/me", headers=who),
            await http.get("/no/such/path", headers=who),
            await http.head(READ, headers=who),
            await http.post("/v1/auth/tokens", headers=who, content=b"{"),
        ]
        assert [response.status_code for response in answers] == [200, 401, 404, 200, 415]
        assert [left(response) for response in answers] == [
            Left("network", 1_000, 1_000 - number, 43) for number in range(1, 6)
        ]


async def test_with_nothing_left_it_is_429_until_the_minute_is_over(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with limited(shared, requests_per_network_minute=3) as http:
        who = network()
        await spend(http, who, 3)

        response = await refused(http, who)
        assert left(response) == Left("network", 3, 0, 43)
        assert response.headers["retry-after"] == "43", "the end of the window, as the draft asks"
        assert response.headers["cache-control"] == "no-store"
        assert (await http.head(READ, headers=who)).status_code == 429
        problem(await http.get("/no/such/path", headers=who), 429, "rate_limited")

        stop_the_clock(monkeypatch, clock.now().replace(second=59, microsecond=900_000))
        assert (await refused(http, who)).headers["retry-after"] == "1"
        stop_the_clock(monkeypatch, clock.now().replace(second=0, microsecond=0) + MINUTE)
        assert left(await http.get(READ, headers=who)) == Left("network", 3, 2, 60)


async def test_health_and_metrics_are_free(shared: Clinic) -> None:
    async with limited(shared, requests_per_network_minute=1) as http:
        await refused_after_one(http)
        for path in ("/health/live", "/health/ready", "/metrics"):
            response = await http.get(path)
            assert response.status_code == 200
            assert "ratelimit" not in response.headers


async def refused_after_one(http: httpx.AsyncClient) -> None:
    await http.get(READ)
    await refused(http, {})


async def test_people_are_counted_apart_from_their_network_and_from_each_other(shared: Clinic) -> None:
    limits = {
        "requests_per_network_minute": 2,
        "requests_per_patient_minute": 3,
        "requests_per_staff_minute": 4,
    }
    async with limited(shared, **limits) as http:
        waiting_room = network()
        first, second = [(await shared.patient()).headers | waiting_room for _ in range(2)]
        employee, other = [shared.headers(staff()) | waiting_room for _ in range(2)]
        for who, policy, units in (
            (waiting_room, "network", 2),
            (first, "patient", 3),
            (employee, "staff", 4),
        ):
            await spend(http, who, units)
            assert left(await refused(http, who)).policy == policy

        for who, policy, units in ((second, "patient", 2), (other, "staff", 3), (network(), "network", 1)):
            assert left(await http.get(READ, headers=who))[::2] == (policy, units)
        moved = first | network()
        await refused(http, moved)  # a person is the same everywhere


async def test_whoever_has_no_valid_token_is_counted_with_the_network(shared: Clinic) -> None:
    async with limited(shared, requests_per_network_minute=3, requests_per_patient_minute=100) as http:
        who = network()
        token = (await shared.patient()).headers["Authorization"]
        for forged in (f"{token}x", "Bearer x", "Basic eDp5"):
            await http.get(READ, headers=who | {"Authorization": forged})
        await refused(http, who | {"Authorization": f"{token}x"})
        assert left(await http.get(READ, headers=who | {"Authorization": token})).policy == "patient"


async def test_who_asks_directly_cannot_choose_a_network(shared: Clinic) -> None:
    async with limited(shared, requests_per_network_minute=3, http_proxies="192.0.2.1") as http:
        await spend(http, network(), 1)
        await spend(http, network() | {"Forwarded": "for=192.0.2.60", "X-Real-IP": "192.0.2.60"}, 1)
        await spend(http, {"X-Forwarded-For": "192.0.2.1"}, 1)
        await refused(http, network())


async def test_what_a_client_tells_the_proxy_is_not_believed(shared: Clinic) -> None:
    async with limited(shared, requests_per_network_minute=3) as http:
        [seen] = network().values()  # what the proxy adds at the end
        for claimed in network(), network(), {"X-Forwarded-For": "127.0.0.1"}:
            await spend(http, {"X-Forwarded-For": f"{claimed['X-Forwarded-For']}, {seen}"}, 1)
        await refused(http, {"X-Forwarded-For": f"198.51.100.1, {seen}"})
        await refused(http, {"X-Forwarded-For": seen})


async def test_an_ipv6_network_is_a_64(shared: Clinic) -> None:
    prefix = f"2001:db8:{clock.new_secret(2).hex()}"
    async with limited(shared, requests_per_network_minute=2) as http:
        for host in (":1", "ffff:1:2:3"):
            await spend(http, {"X-Forwarded-For": f"{prefix}:0:{host}"}, 1)
        await refused(http, {"X-Forwarded-For": f"{prefix}::2"})
        await spend(http, {"X-Forwarded-For": f"{prefix}:1::2"}, 1)
