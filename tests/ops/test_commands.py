"""Sending a command until it is decided: with patience, with one key, and with plain error messages."""

from collections.abc import Iterator

import httpx
import pytest

from infra.errors import ClinicError, TransientError
from infra.jobs import all_of
from ops import commands
from ops.commands import DecidedCommand, Sender

CONFIRMED = {"state": "confirmed", "refusal": None}
PENDING = {"state": "pending", "refusal": None}
REFUSED = {"state": "refused", "refusal": {"reason": "slot_taken", "detail": "The time is taken."}}
UNAVAILABLE = httpx.Response(
    503, headers={"Retry-After": "0"}, json={"code": "log_unavailable", "detail": "No."}
)
LATER = httpx.Response(202, headers={"Location": "/v1/commands/receipt"}, json=PENDING)

Reply = httpx.Response | httpx.TransportError


class Ingress:
    """Answers with the given replies in order, and records the requests."""

    def __init__(self, *replies: Reply) -> None:
        self.asked: list[httpx.Request] = []
        self._replies: Iterator[Reply] = iter(replies)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = next(self._replies)
        if isinstance(reply, httpx.TransportError):
            raise reply
        return reply

    async def send(self) -> DecidedCommand:
        """Send one command here."""
        transport = httpx.MockTransport(self)
        async with httpx.AsyncClient(transport=transport, base_url="http://clinic") as http:
            return await Sender(http, 1).send("POST", "/v1/doctors", "a-key", {"name": "Ann"})


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "RETRY_AFTER_S", 0.0)


async def test_a_confirmed_command() -> None:
    ingress = Ingress(httpx.Response(200, json=CONFIRMED))

    answer = await ingress.send()

    answer.must_be_confirmed()
    assert not answer.replayed
    [request] = ingress.asked
    assert request.headers["Idempotency-Key"] == "a-key"
    assert request.headers["Prefer"] == "wait=10"


async def test_a_repeat_is_recognised() -> None:
    replay = httpx.Response(200, headers={"Idempotency-Replayed": "true"}, json=CONFIRMED)

    assert (await Ingress(replay).send()).replayed


async def test_a_command_that_is_not_decided_in_time_is_followed() -> None:
    ingress = Ingress(LATER, httpx.Response(200, json=PENDING), httpx.Response(200, json=CONFIRMED))

    (await ingress.send()).must_be_confirmed()

    assert [str(request.url) for request in ingress.asked] == [
        "http://clinic/v1/doctors",
        "http://clinic/v1/commands/receipt?wait=10",
        "http://clinic/v1/commands/receipt?wait=10",
    ]


async def test_but_only_up_to_a_limit() -> None:
    pending = [httpx.Response(200, json=PENDING) for _ in range(commands.POLLS_MAX)]

    with pytest.raises(TransientError, match=r"a-key was accepted and not decided in time"):
        await Ingress(LATER, *pending).send()


async def test_an_outage_is_retried_with_the_same_key() -> None:
    ingress = Ingress(UNAVAILABLE, httpx.ConnectError("refused"), httpx.Response(200, json=CONFIRMED))

    (await ingress.send()).must_be_confirmed()

    assert [request.headers["Idempotency-Key"] for request in ingress.asked] == ["a-key"] * 3


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (UNAVAILABLE, r"^a-key was answered 503 log_unavailable: No\. \(8 tries\)$"),
        (httpx.ConnectError("refused"), r"^http://clinic does not answer: refused \(8 tries\)$"),
    ],
)
async def test_a_long_outage_is_one_sentence(reply: Reply, sentence: str) -> None:
    ingress = Ingress(*[reply] * commands.TRIES_MAX)

    with pytest.raises(TransientError, match=sentence):
        await ingress.send()


async def test_a_refusal_is_reported_with_its_reason() -> None:
    answer = await Ingress(httpx.Response(200, json=REFUSED)).send()

    assert answer.refusal_reason == "slot_taken"
    with pytest.raises(ClinicError, match=r"a-key was refused: slot_taken \(The time is taken\.\)"):
        answer.must_be_confirmed()


async def test_a_problem_is_reported_with_its_code() -> None:
    problem = {"code": "unknown_patient", "detail": "There is no such patient."}

    with pytest.raises(ClinicError, match=r"^a-key was answered 422 unknown_patient: There is no such pat"):
        await Ingress(httpx.Response(422, json=problem)).send()


@pytest.mark.parametrize("content", [b"<html>", b"[]", b""])
async def test_a_server_that_is_no_clinic_is_one_sentence(content: bytes) -> None:
    with pytest.raises(ClinicError, match=r"^a-key was answered 200 OK$"):
        await Ingress(httpx.Response(200, content=content)).send()


async def test_the_first_failure_of_many_is_raised_unchanged() -> None:
    async def fail() -> None:
        raise ClinicError("no")

    with pytest.raises(ClinicError, match=r"^no$"):
        await all_of([fail(), fail()])
