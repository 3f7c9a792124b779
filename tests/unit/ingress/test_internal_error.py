"""A bug is answered as everything else is: a problem, counted, with an id and the headers for browsers."""

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import REGISTRY

from ingress.app import create_app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Of an application without resources: each request meets an AttributeError."""
    transport = httpx.ASGITransport(create_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic") as client:
        yield client


def counted(method: str) -> float:
    labels = {"route": "none", "method": method, "status": "500"}
    return REGISTRY.get_sample_value("clinic_http_requests_total", labels) or 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_it_tells_nothing_and_has_the_headers(client: httpx.AsyncClient, method: str) -> None:
    before = counted(method)
    answer = await client.request(method, "/v1/doctors")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 32
    assert counted(method) == before + 1
    if method == "HEAD":
        assert not answer.content
    else:
        assert answer.json()["code"] == "internal_error"
        assert "resources" not in answer.text


async def test_the_server_hears_of_it() -> None:
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic") as client:
        with pytest.raises(AttributeError, match="resources"):
            await client.get("/v1/doctors")
