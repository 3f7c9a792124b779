"""Every request has one trace: the client's, or one of its own (W3C Trace Context)."""

import re

import pytest
from fastapi import Request
from starlette.types import Receive, Scope, Send
from structlog.contextvars import get_contextvars

from ingress.tracing import Traced, request_id, traceparent

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE_ID}-b7ad6b7169203331-01"


async def trace(header: str | None) -> str:
    """What a request with this header is traced as, wherever one looks."""
    found: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        found.append(traceparent(request))
        assert request_id(request) == found[0].split("-")[1]
        assert get_contextvars()["request_id"] == request_id(request), "in the lines of the log"

    headers = [] if header is None else [(b"traceparent", header.encode("latin-1"))]
    await Traced(app)({"type": "http", "headers": headers}, None, None)  # type: ignore[arg-type]
    return found[0]


async def test_the_clients_goes_on_as_it_came() -> None:
    assert await trace(GIVEN) == GIVEN


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "garbage", TRACE_ID, GIVEN.upper(), GIVEN + "-more", " " + GIVEN[1:], GIVEN + "\n"),
        GIVEN.replace(TRACE_ID, "0" * 32),
        GIVEN.replace("b7ad6b7169203331", "0" * 16),
        "ff" + GIVEN[2:],
        GIVEN.replace("0af", "٠af").encode().decode("latin-1"),
    ],
)
async def test_without_a_valid_one_each_request_has_its_own(header: str | None) -> None:
    one, two = await trace(header), await trace(header)

    for made in (one, two):
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", made)
        assert await trace(made) == made, "it is valid itself"
    assert one.split("-")[1] != two.split("-")[1]
