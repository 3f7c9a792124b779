"""Ingresses with small budgets, and callers from networks of their own."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx

from infra import clock
from tests.clinic import Clinic, free_port, ingress

READ = "/v1/doctors"
_POLICY = re.compile(r'"(\w+)";q=(\d+);w=60')
_LEFT = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


class Left(NamedTuple):
    """The fields `RateLimit-Policy` and `RateLimit` of an answer."""

    policy: str
    quota: int
    left: int
    seconds: int


def left(response: httpx.Response) -> Left:
    policy = _POLICY.fullmatch(response.headers["ratelimit-policy"])
    limit = _LEFT.fullmatch(response.headers["ratelimit"])
    assert policy
    assert limit
    assert policy[1] == limit[1]
    return Left(policy[1], int(policy[2]), int(limit[2]), int(limit[3]))


def network() -> dict[str, str]:
    """Headers of a client from a network that nobody else asks from, as the proxy on this host sends them."""
    return {"X-Forwarded-For": ".".join(["10", *(str(byte) for byte in clock.new_secret(3))])}


@asynccontextmanager
async def limited(clinic: Clinic, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """Another ingress of the clinic, with these settings."""
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}", **settings}
    async with ingress(clinic.settings.model_copy(update=update)) as http:
        yield http


async def spend(http: httpx.AsyncClient, who: dict[str, str], requests: int) -> None:
    """Ask so often, which has to succeed."""
    for _ in range(requests):
        response = await http.get(READ, headers=who)
        assert response.status_code == 200, response.text
