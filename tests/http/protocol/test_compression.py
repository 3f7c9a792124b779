"""Long answers are compressed for clients that accept it, and say the same."""

import gzip
from typing import Any

import httpx
import pytest

from ingress.http.compression import BYTES_MIN
from tests.clinic import Clinic
from tests.http.asking import pointers

LONG = "/v1/doctors/{doctor_id}/availability"
GZIP, PLAIN = {"accept-encoding": "gzip"}, {"accept-encoding": "identity"}


async def raw(http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> tuple[Any, bytes]:
    """The headers and the body as it was sent."""
    async with http.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, path
        return response.headers, b"".join([chunk async for chunk in response.aiter_raw()])


async def test_a_long_answer_is_compressed_and_the_same(shared: Clinic, doctor_id: str) -> None:
    path = LONG.format(doctor_id=doctor_id)
    plain_headers, plain = await raw(shared.http, path, PLAIN)
    headers, compressed = await raw(shared.http, path, GZIP)

    assert len(plain) > BYTES_MIN
    assert "content-encoding" not in plain_headers
    assert headers["content-encoding"] == "gzip"
    assert int(headers["content-length"]) == len(compressed) < len(plain) / 5
    assert gzip.decompress(compressed) == plain
    assert headers["vary"] == plain_headers["vary"] == "Accept-Encoding"
    assert headers["content-type"] == plain_headers["content-type"]


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, br", "deflate"])
async def test_only_for_clients_that_accept_it(shared: Clinic, doctor_id: str, accepted: str) -> None:
    headers, _ = await raw(shared.http, LONG.format(doctor_id=doctor_id), {"accept-encoding": accepted})
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"


async def test_each_encoding_has_an_entity_tag_that_is_known_again(shared: Clinic, doctor_id: str) -> None:
    path = LONG.format(doctor_id=doctor_id)
    plain = (await raw(shared.http, path, PLAIN))[0]["etag"]
    compressed = (await raw(shared.http, path, GZIP))[0]["etag"]

    assert compressed == f'{plain[:-1]}-gzip"'
    for known in (plain, compressed):
        for encoding in (GZIP, PLAIN):
            for asked in (known, f'"other", W/{known}'):
                answer = await shared.http.get(path, headers={**encoding, "if-none-match": asked})
                assert (answer.status_code, answer.content) == (304, b"")
                assert answer.headers["etag"] == (compressed if encoding == GZIP else plain)
    other = await shared.http.get(path, headers={**GZIP, "if-none-match": '"other-gzip"'})
    assert other.status_code == 200


async def test_personal_lists_and_problems_too(shared: Clinic) -> None:
    listed = await shared.http.get("/v1/audit", headers={**shared.staff, **GZIP})
    assert listed.headers["content-encoding"] == "gzip"
    assert listed.headers["cache-control"] == "no-store"
    wrong = {f"unknown_field_{number}": 1 for number in range(30)}
    refused = await shared.http.post("/v1/patients", headers={**shared.staff, **GZIP}, json=wrong)
    assert refused.headers["content-encoding"] == "gzip"
    assert len(pointers(refused)) > 10


async def test_not_a_short_answer_nor_a_stream(shared: Clinic, doctor_id: str) -> None:
    short, _ = await raw(shared.http, "/health/live", GZIP)
    assert "content-encoding" not in short
    path = f"/v1/doctors/{doctor_id}/availability/events"
    async with shared.http.stream("GET", path, headers=GZIP) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in stream.headers


async def test_no_answer_with_tokens(shared: Clinic) -> None:
    # Those with tokens are not as long yet.
    body = {f"unknown_field_{number}": 1 for number in range(30)}
    refused = await shared.http.post("/v1/auth/refresh", headers=GZIP, json=body)
    assert len(refused.content) > BYTES_MIN
    assert "content-encoding" not in refused.headers


async def test_head_says_what_get_would(shared: Clinic, doctor_id: str) -> None:
    path = LONG.format(doctor_id=doctor_id)
    got = (await shared.http.get(path, headers=GZIP)).headers
    head = await shared.http.head(path, headers=GZIP)

    assert head.content == b""
    for name in ("content-encoding", "content-length", "etag", "vary"):
        assert head.headers[name] == got[name]
