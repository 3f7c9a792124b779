"""Sends requests as a careful client does, and writes each call into the history."""

import asyncio
import itertools
import random
import time
from typing import Any

import httpx

from infra import clock
from tests.faults.history import Call, History
from tests.faults.scene import Ask

TRIES_MAX = 4
RETRY_AFTER_S_MAX = 1.0
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 8.0
UNAVAILABLE = 503
# An answer's headers that say something.
TELLING = {"location", "retry-after", "idempotency-replayed", "preference-applied", "etag", "content-type"}


class Ingresses:
    """Connections to each ingress, with the tokens of everyone."""

    def __init__(self, urls: list[str], tokens: dict[str, str]) -> None:
        self._tokens = tokens
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
        self._clients = [httpx.AsyncClient(base_url=url, limits=limits, trust_env=False) for url in urls]

    def __len__(self) -> int:
        return len(self._clients)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()

    async def ask(
        self, ask: Ask, number: int, headers: dict[str, str], wait_s: int
    ) -> tuple[httpx.Response | None, str | None]:
        """One try with one of them: the answer, or why there is none."""
        timeout = httpx.Timeout(CONNECT_TIMEOUT_S, read=ANSWER_TIMEOUT_S + wait_s)
        client = self._clients[number % len(self._clients)]
        headers = {"Authorization": f"Bearer {self._tokens[ask.actor]}", **headers}
        try:
            return await client.request(
                ask.method, ask.path, headers=headers, json=ask.body, timeout=timeout
            ), None
        except httpx.TransportError as error:
            return None, repr(error)


class Sender:
    """One client's way to send."""

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
        """Ask until there is an answer that is one, each time another ingress: the last call."""
        tries = 0
        while True:
            tries += 1
            self._next += 1
            call = await self.once(ask, self._next, key, wait_s, etag)
            if call.status not in (None, UNAVAILABLE) or tries >= tries_max:
                return call
            told = call.headers.get("retry-after", "")
            pause_s = min(float(told) if told.isdigit() else RETRY_AFTER_S_MAX, RETRY_AFTER_S_MAX)
            await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.0))

    async def once(self, ask: Ask, ingress: int, key: str | None, wait_s: int = 0, etag: str = "") -> Call:
        """One call, as it is written into the history."""
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
            call.answer = json_of(response, call)
        return call


def json_of(response: httpx.Response, call: Call) -> Any:
    """The answer's content; None, and `call` says so, where it is no JSON."""
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        call.error = "the answer is not JSON"
        return None
