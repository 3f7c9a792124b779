"""Sends requests as a careful client does, and records each call in the history."""

import asyncio
import itertools
import random
import ssl
import time

import httpx

from contracts.commands import Actor
from infra import clock
from tests.faults.workload.history import Call, History, Packed
from tests.faults.workload.scene import Ask
from tests.tokens import Tokens

TRIES_MAX = 4
RETRY_AFTER_S_MAX = 1.0
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 8.0
UNAVAILABLE = 503
# The response headers that matter.
TELLING = {"location", "retry-after", "idempotency-replayed", "preference-applied", "etag", "content-type"}


class Ingresses:
    """Connections to each ingress, with everyone's tokens, by name."""

    def __init__(
        self, urls: list[str], people: dict[str, Actor], tokens: Tokens, tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: by which https is checked, if not by the system's authorities."""
        self._people = people
        self._tokens = tokens
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        self._clients = [
            httpx.AsyncClient(base_url=url, limits=limits, trust_env=False, verify=tls or True)
            for url in urls
        ]

    def __len__(self) -> int:
        return len(self._clients)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    async def ask(
        self, ask: Ask, number: int, headers: dict[str, str], wait_s: int
    ) -> tuple[httpx.Response | None, str | None]:
        """One request to one of them: the response, or why there is none."""
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=ANSWER_TIMEOUT_S + wait_s)
        client = self._clients[number % len(self._clients)]
        headers = {**self._tokens.bearer(self._people[ask.actor]), **headers}
        try:
            return await client.request(
                ask.method, ask.path, headers=headers, json=ask.body, timeout=timeout
            ), None
        except httpx.TransportError as error:
            return None, repr(error)


class Sender:
    """How one client sends requests."""

    def __init__(self, number: int, ingresses: Ingresses, history: History, chance: random.Random) -> None:
        self.number = number
        self._ingresses = ingresses
        self._history = history
        self._chance = chance
        self._numbers = itertools.count(1)
        self._next = number

    async def send(
        self, ask: Ask, key: str | None = None, wait_s: int = 0, tries_max: int = TRIES_MAX, etag: str = ""
    ) -> Call:
        """Send until there is a usable answer, each time to another ingress: the last call."""
        tries = 0
        while True:
            tries += 1
            self._next += 1
            call = await self.once(ask, self._next, key, wait_s, etag)
            if call.status not in (None, UNAVAILABLE) or tries >= tries_max:
                return call
            retry_after = call.headers.get("retry-after", "")
            pause_s = min(
                float(retry_after) if retry_after.isdigit() else RETRY_AFTER_S_MAX, RETRY_AFTER_S_MAX
            )
            await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.0))

    async def once(self, ask: Ask, ingress: int, key: str | None, wait_s: int = 0, etag: str = "") -> Call:
        """One call, recorded in the history."""
        headers = {"Idempotency-Key": key} if key else {}
        if wait_s and key:
            headers["Prefer"] = f"wait={wait_s}"
        if etag:
            headers["If-None-Match"] = etag
        call = Call(
            client=self.number,
            number=next(self._numbers),
            started=time.monotonic(),
            ended=None,
            method=ask.method,
            path=ask.path,
            body=ask.body,
            key=key,
            actor=ask.actor,
            at=clock.now().timestamp(),
        )
        self._history.calls.append(call)
        response, call.error = await self._ingresses.ask(ask, ingress, headers, wait_s)
        if response is not None:
            call.ended = time.monotonic()
            call.status = response.status_code
            call.headers = {name: value for name, value in response.headers.items() if name in TELLING}
            call.content = json_of(response, call)
        return call


def json_of(response: httpx.Response, call: Call) -> Packed | None:
    """The response's JSON; None if it is not JSON, which `call` records."""
    if not response.content:
        return None
    try:
        response.json()
    except ValueError:
        call.error = "the answer is not JSON"
        return None
    return Packed.of(response.content)
