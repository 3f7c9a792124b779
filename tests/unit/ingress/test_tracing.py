"""Every request has one trace: the client's, or a new one (W3C Trace Context)."""

import re

import pytest
from fastapi import Request
from starlette.types import Receive, Scope, Send
from structlog.contextvars import get_contextvars

from ingress.http.tracing import Traced, own_request_id, request_id, traceparent

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
own_ids: list[str] = []
GIVEN = f"00-{TRACE_ID}-b7ad6b7169203331-01"


async def trace(header: str | None) -> str:
    """The trace id of a request with this header, which is the same everywhere."""
    found: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        found.append(traceparent(request))
        assert request_id(request) == found[0].split("-")[1]
        assert get_contextvars()["request_id"] == request_id(request), "in the log lines"

        own_ids.append(own_request_id(request))
        assert get_contextvars()["own_request_id"] == own_ids[-1]

    headers = [] if header is None else [(b"traceparent", header.encode("latin-1"))]
    await Traced(app)({"type": "http", "headers": headers}, None, None)  # type: ignore[arg-type]
    return found[0]


async def test_a_valid_header_is_continued() -> None:
    assert await trace(GIVEN) == GIVEN


async def test_our_own_id_is_never_the_clients() -> None:
    for _ in range(2):
        await trace(GIVEN)

    first, second = own_ids[-2:]
    assert len({first, second, TRACE_ID}) == 3


@pytest.mark.parametrize(
    "header",
    [
        None, "", "garbage", TRACE_ID, GIVEN.upper(), GIVEN + "-more", " " + GIVEN[1:], GIVEN + "\n",
        GIVEN.replace(TRACE_ID, "0" * 32),
        GIVEN.replace("b7ad6b7169203331", "0" * 16),
        "ff" + GIVEN[2:],
        GIVEN.replace("0af", "٠af").encode().decode("latin-1"),
    ],
)  # fmt: skip
async def test_without_a_valid_header_each_request_has_its_own(header: str | None) -> None:
    first, second = await trace(header), await trace(header)

    for made in (first, second):
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", made)
        assert await trace(made) == made, "it is valid itself"
    assert first.split("-")[1] != second.split("-")[1]
