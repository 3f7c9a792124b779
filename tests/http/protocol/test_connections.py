"""Requests as raw bytes, which HTTP client libraries do not allow."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from infra.settings import Settings
from ingress.app import OTHER_ROUTERS, ROUTERS
from tests.clinic import Clinic
from tests.clinic import clinic as running_clinic
from tests.http.asking import pointers, problem

HOST = "Host: clinic.example"
LIVE = f"GET /health/live HTTP/1.1\r\n{HOST}\r\n\r\n"
H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
BODY = json.dumps({"email": "not an address"})


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, clinic: Clinic) -> "Wire":
        return cls(*await asyncio.open_connection(clinic.settings.host, clinic.settings.port))

    async def send(self, text: str) -> None:
        self.writer.write(text.encode("latin-1"))
        await self.writer.drain()

    async def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next response."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = int(headers.get("content-length", "0"))
            body = b"" if method == "HEAD" else await self.reader.readexactly(length)
        return int(status.split()[1]), headers, body

    async def problem(self) -> tuple[int, str]:
        """Status and code of the next response, which is a problem."""
        status, headers, body = await self.answer()
        assert headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(body)
        assert (found["status"], headers.get("connection")) == (status, "close")
        return status, found["code"]

    async def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        async with asyncio.timeout(10):
            return await self.reader.read()


@pytest.fixture
async def wire(shared: Clinic) -> AsyncIterator[Wire]:
    wire = await Wire.open(shared)
    yield wire
    wire.writer.close()


@pytest.fixture(scope="module")
async def hasty(settings: Settings, template: str) -> AsyncIterator[Clinic]:
    """A clinic with short time limits and at most ten connections."""
    limits = {"http_head_timeout_s": 0.3, "http_body_timeout_s": 0.5, "http_idle_timeout_s": 0.7}
    own = settings.model_copy(update={**limits, "http_connections_max": 10})
    async with running_clinic(own, template, worker=False) as clinic:
        yield clinic


@pytest.fixture
async def hasty_wire(hasty: Clinic) -> AsyncIterator[Wire]:
    wire = await Wire.open(hasty)
    yield wire
    wire.writer.close()


def post(clinic: Clinic, *headers: str, length: int | None = None) -> str:
    """The head of a registration that is refused for its address, once its body is read."""
    lines = ["POST /v1/patients HTTP/1.1", HOST, "Content-Type: application/json", *headers]
    lines += [f"{name}: {value}" for name, value in clinic.staff.items()]
    lines.append(f"Content-Length: {len(BODY) if length is None else length}")
    return "\r\n".join([*lines, "", ""])


class TestAnOfferToUpgrade:
    @pytest.mark.parametrize("offer", [H2C, "Connection: upgrade\r\nUpgrade: websocket"])
    async def test_is_ignored_and_the_body_is_read(self, shared: Clinic, wire: Wire, offer: str) -> None:
        await wire.send(post(shared, offer) + BODY + LIVE)
        status, _, body = await wire.answer()
        assert (status, json.loads(body)["errors"][0]["pointer"]) == (422, "/email")
        assert (await wire.answer())[0] == 200

    async def test_a_body_that_comes_later_is_not_a_request(self, shared: Clinic, wire: Wire) -> None:
        await wire.send(post(shared, H2C, "Expect: 100-continue", length=len(LIVE)))
        # The head has been read.
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(LIVE)
        status, _, body = await wire.answer()
        assert (status, json.loads(body)["code"]) == (400, "malformed_json")
        await wire.send(LIVE.replace("live", "nothing"))
        assert (await wire.answer())[0] == 404

    async def test_pipelined_requests_are_answered_in_order(self, wire: Wire) -> None:
        await wire.send(LIVE.replace(HOST, f"{HOST}\r\n{H2C}") * 500)
        assert [(await wire.answer())[0] for _ in range(500)] == [200] * 500

    async def test_the_last_request_of_a_connection_ends_it(self, wire: Wire) -> None:
        await wire.send(LIVE.replace(HOST, f"{HOST}\r\nUpgrade: h2c\r\nConnection: close, upgrade"))
        status, headers, _ = await wire.answer()
        assert (status, headers["connection"], await wire.rest()) == (200, "close", b"")


class TestAHead:
    @pytest.mark.parametrize(
        "head",
        [
            f"GET /{'x' * 20_000} HTTP/1.1\r\n{HOST}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{HOST}\r\nX: {'x' * 20_000}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{HOST}\r\n" + "X: x\r\n" * 100 + "\r\n",
            f"GET / HTTP/1.1\r\n{HOST}\r\nX: " + "x" * 1_000_000,
            f"GET /{'x' * 1_000_000}",
        ],
        ids=["target", "header", "count", "endless-header", "endless-target"],
    )
    async def test_that_is_too_large_is_431(self, wire: Wire, head: str) -> None:
        await wire.send(head)
        assert await wire.problem() == (431, "headers_too_large")
        assert await wire.rest() == b""

    async def test_of_16_kib_is_accepted_however_it_arrives(self, wire: Wire) -> None:
        request = LIVE.replace(HOST, f"{HOST}\r\nX: {'x' * 8_000}\r\nY: {'y' * 7_900}")
        for part in (request[i : i + 500] for i in range(0, len(request), 500)):
            await wire.send(part)
            await asyncio.sleep(0)
        assert (await wire.answer())[0] == 200

    @pytest.mark.parametrize(
        "hosts", ["X: x", f"{HOST}\r\n{HOST}", f"{HOST}\r\nHost: other.example", "Host: a/b", "Host: a b"]
    )
    async def test_needs_one_host(self, wire: Wire, hosts: str) -> None:
        await wire.send(LIVE.replace(HOST, hosts))
        assert await wire.problem() == (400, "malformed_request")

    @pytest.mark.parametrize("request_", ["nonsense\r\n\r\n", f"CONNECT a:443 HTTP/1.1\r\n{HOST}\r\n\r\n"])
    async def test_that_is_malformed_is_400(self, wire: Wire, request_: str) -> None:
        await wire.send(request_)
        assert await wire.problem() == (400, "malformed_request")

    async def test_the_answer_before_a_malformed_one_arrives_whole(self, wire: Wire) -> None:
        await wire.send(LIVE + "nonsense\r\n\r\n")
        status, headers, _ = await wire.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert await wire.rest() == b""


class TestASlowClient:
    async def test_sending_the_head_is_answered_408(self, hasty_wire: Wire) -> None:
        await hasty_wire.send("GET /health/live HTTP/1.1\r\nX:")
        assert await hasty_wire.problem() == (408, "request_timeout")
        assert await hasty_wire.rest() == b""

    async def test_sending_the_body_is_answered_408(self, hasty: Clinic, hasty_wire: Wire) -> None:
        await hasty_wire.send(post(hasty) + BODY[:-1])
        assert await hasty_wire.problem() == (408, "request_timeout")
        assert await hasty_wire.rest() == b""

    @pytest.mark.parametrize("request_", ["", LIVE], ids=["new", "used"])
    async def test_sending_nothing_is_disconnected(self, hasty_wire: Wire, request_: str) -> None:
        await hasty_wire.send(request_)
        if request_:
            assert (await hasty_wire.answer())[0] == 200
        assert await hasty_wire.rest() == b""


async def test_a_connection_over_the_limit_is_503(hasty: Clinic) -> None:
    wires = [await Wire.open(hasty) for _ in range(11)]
    assert await wires[-1].problem() == (503, "busy")
    for wire in wires:
        wire.writer.close()


def test_idle_connections_outlive_those_of_load_balancers(settings: Settings) -> None:
    assert settings.http_idle_timeout_s > 65


class TestHead:
    async def test_is_answered_wherever_get_is(self, shared: Clinic) -> None:
        routes = [route for module in (*ROUTERS, *OTHER_ROUTERS) for route in module.router.routes]
        paths = {route.path_format for route in routes if isinstance(route, APIRoute)}
        for path in sorted(paths - {"/v1/staff/events"}):
            get = await shared.http.get(path, headers=shared.staff)
            head = await shared.http.head(path, headers=shared.staff)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            assert head.headers.get("content-type") == get.headers.get("content-type"), path
            assert head.headers.get("allow") == get.headers.get("allow"), path

    async def test_of_an_endless_stream_ends(self, shared: Clinic, wire: Wire) -> None:
        token = f"Authorization: {shared.staff['Authorization']}"
        await wire.send(f"HEAD /v1/staff/events HTTP/1.1\r\n{HOST}\r\n{token}\r\n\r\n" + LIVE)
        status, headers, _ = await wire.answer("HEAD")
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert json.loads((await wire.answer())[2])["status"] == "live"

    async def test_is_allowed_with_get(self, shared: Clinic) -> None:
        response = await shared.http.delete("/v1/appointments", headers=shared.staff)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")


class TestHttp10:
    async def test_a_stream_has_no_chunks_and_ends_with_the_connection(self, shared: Clinic) -> None:
        wire = await Wire.open(shared)
        token = f"Authorization: {shared.staff['Authorization']}"
        await wire.send(f"GET /v1/staff/events HTTP/1.0\r\n{token}\r\n\r\n")
        status, headers, _ = await wire.answer()
        assert (status, "transfer-encoding" in headers, headers["connection"]) == (200, False, "close")
        assert (await wire.reader.readuntil(b"\n\n")).startswith(b": connected\nid: ")
        wire.writer.close()

    async def test_an_answer_has_its_length(self, wire: Wire) -> None:
        await wire.send("GET /health/live HTTP/1.0\r\n\r\n")
        status, _, body = await wire.answer()
        assert (status, json.loads(body)["status"], await wire.rest()) == (200, "live", b"")


@pytest.mark.parametrize("coding", ["gzip", "identity, br"])
async def test_an_encoded_body_is_415(shared: Clinic, coding: str) -> None:
    headers = {**shared.staff, "Content-Type": "application/json", "Content-Encoding": coding}
    response = await shared.http.post("/v1/patients", headers=headers, content=BODY)
    problem(response, 415, "unsupported_media_type")
    assert response.headers["accept-encoding"] == "identity"
    plain = await shared.http.post(
        "/v1/patients", headers={**headers, "Content-Encoding": "identity"}, content=BODY
    )
    assert pointers(plain) == ["/email"]
