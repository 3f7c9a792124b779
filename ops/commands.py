"""Sends commands over HTTP like any client: with a key, until they are decided, a bounded number at once."""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from contracts.decision import State
from infra.errors import ClinicError, TransientError

WAIT_S = 10
ANSWER_TIMEOUT_S = WAIT_S + 10.0
TRIES_MAX = 8
RETRY_AFTER_S = 1.0
RETRY_AFTER_S_MAX = 5.0
POLLS_MAX = 6

T = TypeVar("T")


@dataclass(frozen=True)
class DecidedCommand:
    """The command resource of a decided command. `replayed`: it had been sent and decided before."""

    key: str
    resource: dict[str, Any]
    replayed: bool

    @property
    def refusal_reason(self) -> str | None:
        """The reason if it was refused."""
        refusal = self.resource["refusal"]
        return None if refusal is None else str(refusal["reason"])

    def must_be_confirmed(self) -> None:
        """Raises `ClinicError` if the command was refused or failed."""
        if self.resource["state"] == State.CONFIRMED:
            return
        refusal = self.resource["refusal"]
        why = f": {refusal['reason']} ({refusal['detail']})" if refusal else ""
        raise ClinicError(f"The command {self.key} was {self.resource['state']}{why}")


class Sender:
    """Sends commands; a retry has the same key, so that a command is decided once.

    `http` has the base address and the token.
    """

    def __init__(self, http: httpx.AsyncClient, in_flight_max: int) -> None:
        self._http = http
        self._in_flight = asyncio.Semaphore(in_flight_max)

    async def send(self, method: str, path: str, key: str, body: object) -> DecidedCommand:
        """Send a command and return it once it is decided. `key` is its Idempotency-Key.

        Raises:
            ClinicError: it was rejected; the message has the problem's code.
            TransientError: it was not accepted or not decided in time.
        """
        headers = {"Idempotency-Key": key, "Prefer": f"wait={WAIT_S}"}
        async with self._in_flight:
            response = await self._ask(key, method, path, json=body, headers=headers)
            replayed = response.headers.get("Idempotency-Replayed") == "true"
            resource = _json(key, response)
            for _ in range(POLLS_MAX):
                if resource["state"] != State.PENDING:
                    return DecidedCommand(key, resource, replayed)
                resource = await self._get(key, response.headers["Location"], {"wait": WAIT_S})
        raise TransientError(f"The command {key} was accepted and not decided in time: is a worker running?")

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON of a resource. Raises what `send` raises."""
        async with self._in_flight:
            return await self._get(path, path)

    async def _get(self, name: str, path: str, query: dict[str, int] | None = None) -> dict[str, Any]:
        return _json(name, await self._ask(name, "GET", path, params=query))

    async def _ask(self, name: str, method: str, path: str, **request: Any) -> httpx.Response:
        trouble = ""
        for _ in range(TRIES_MAX):
            retry_after_s = RETRY_AFTER_S
            try:
                response = await self._http.request(method, path, timeout=ANSWER_TIMEOUT_S, **request)
            except httpx.TransportError as error:
                trouble = f"{self._http.base_url} does not answer: {error or type(error).__name__}"
            else:
                if response.status_code not in (429, 503):
                    return response
                trouble = f"{name} was answered {response.status_code} {_code(response)}"
                retry_after_s = _retry_after_s(response)
            await asyncio.sleep(retry_after_s)
        raise TransientError(f"{trouble} ({TRIES_MAX} tries)")


def _json(name: str, response: httpx.Response) -> dict[str, Any]:
    content: object = None
    if response.is_success:
        try:
            content = response.json()
        except ValueError:
            content = None
    if not isinstance(content, dict):
        raise ClinicError(f"{name} was answered {response.status_code} {_code(response)}")
    return content


def _code(response: httpx.Response) -> str:
    """The problem's code and detail (RFC 9457), or the reason phrase of the status."""
    try:
        problem = response.json()
        return f"{problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


def _retry_after_s(response: httpx.Response) -> float:
    try:
        return min(float(response.headers["Retry-After"]), RETRY_AFTER_S_MAX)
    except (KeyError, ValueError):
        return RETRY_AFTER_S
