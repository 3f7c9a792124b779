"""Recovery times: how long until every partition decides again, measured through each ingress."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from contracts.commands import Actor, ActorKind
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.settings import Settings
from ops.tokens import register_patients
from tests.faults.checker import Finding
from tests.faults.workload.history import STAFF, Call, History
from tests.faults.workload.scene import partition_of
from tests.faults.workload.sender import json_of
from tests.tokens import BearerAuth, Tokens

INVARIANT = "I10"
# For a killed worker: until it decides again. For the servers: from the moment they are back.
WORKER_S_MAX = 10.0
KAFKA_S_MAX = 30.0
POSTGRES_S_MAX = 15.0

PATH = "/v1/appointments"
# The client number of the probes; no other client has it.
PROBE = -1
GIVE_UP_S = 120.0
# A partition that did not recover once may never do so, and the run has to end.
GIVE_UP_AGAIN_S = 10.0
WAIT_S = 1
TRY_TIMEOUT_S = 4.0
RETRY_INTERVAL_S = 0.2


@dataclass(frozen=True)
class Recovery:
    """The recovery after a fault: the seconds until all partitions decided, and the maximum allowed."""

    after: str
    seconds: float
    seconds_max: float | None


class Recoveries:
    """Measures recoveries while `watching`; one that takes too long becomes a finding.

    Attributes:
        measured: all of them, in the order of their ends.
        give_up_s: after that it is not waited for any more.
        clients: one for each ingress.
        patient_id: the patient that is asked for.
        doctors: ids for whoever asks for real, the first for partition 0, and so on.
    """

    def __init__(self, history: History, findings: list[Finding]) -> None:
        """The probes are recorded in the history like any client's calls."""
        self.measured: list[Recovery] = []
        self.give_up_s = GIVE_UP_S
        self._history = history
        self._number = 0
        self._findings = findings
        self._unknown = _a_doctor_in_each_partition()
        self.doctors = _a_doctor_in_each_partition()

    @contextlib.asynccontextmanager
    async def watching(self, settings: Settings, urls: list[str]) -> AsyncIterator[None]:
        """Prepare to send probes to these ingresses, as staff, for a patient of their own."""
        [self.patient_id] = await register_patients(settings, [f"{clock.new_id().hex}@example.org"])
        staff = Actor(kind=ActorKind.STAFF, id=clock.new_id())
        auth = BearerAuth(Tokens(settings), staff)
        async with contextlib.AsyncExitStack() as exits:
            self.clients = [
                await exits.enter_async_context(
                    httpx.AsyncClient(base_url=url, auth=auth, timeout=TRY_TIMEOUT_S, trust_env=False)
                )
                for url in urls
            ]
            yield

    async def measure(
        self,
        after: str,
        since: float,
        seconds_max: float | None = None,
        *,
        without: int | None = None,
    ) -> None:
        """Return once every partition has decided a command sent from now on through each ingress.

        `since` is the start, by `time.monotonic()`; `without` is the number of an ingress to leave out.
        """
        asked = [client for number, client in enumerate(self.clients) if number != without]
        numbers = range(len(self._unknown))
        try:
            async with asyncio.timeout(self.give_up_s):
                await asyncio.gather(*(self._decided(n, client) for n in numbers for client in asked))
        except TimeoutError:
            text = f"after {after} not all partitions decide again within {self.give_up_s:g} s"
            self._findings.append(Finding(INVARIANT, text))
            self.give_up_s = min(self.give_up_s, GIVE_UP_AGAIN_S)
            return
        took = time.monotonic() - since
        self.measured.append(Recovery(after, took, seconds_max))
        if seconds_max is not None and took > seconds_max:
            promised = f"and not within {seconds_max:g} s"
            text = f"after {after} all partitions decide again after {took:.1f} s {promised}"
            self._findings.append(Finding(INVARIANT, text))

    async def _decided(self, partition: int, client: httpx.AsyncClient) -> None:
        # The doctor is unknown: the answer is a refusal that depends on nothing else.
        body = {
            "doctor_id": str(self._unknown[partition]),
            "patient_id": str(self.patient_id),
            "starts_at": "2030-01-01T09:00:00Z",
            "visit_type": "checkup",
        }
        await self.ask(client, "POST", PATH, body)

    async def ask(
        self, client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Repeat one request until it is decided: the command resource; empty if that takes too long."""
        key = f"probe-{clock.new_id().hex}"
        deadline = time.monotonic() + self.give_up_s
        while time.monotonic() < deadline:
            answer = await self._try(client, method, path, key, body)
            if answer is not None:
                return answer
            await asyncio.sleep(RETRY_INTERVAL_S)
        text = f"{method} {path} is not decided within {self.give_up_s:g} s: {key}"
        self._findings.append(Finding("I11", text))
        return {}

    async def _try(
        self, client: httpx.AsyncClient, method: str, path: str, key: str, body: dict[str, Any]
    ) -> dict[str, Any] | None:
        headers = {"Idempotency-Key": key, "Prefer": f"wait={WAIT_S}"}
        self._number += 1
        call = Call(
            PROBE, self._number, time.monotonic(), None, method, path, body, key, STAFF, at=time.time()
        )
        self._history.calls.append(call)
        try:
            answer = await client.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            call.error = repr(error)
            return None
        call.ended, call.status, call.headers = time.monotonic(), answer.status_code, dict(answer.headers)
        call.content = json_of(answer, call)
        decided = answer.status_code == httpx.codes.OK and isinstance(call.answer, dict)
        return call.answer if decided else None


def _a_doctor_in_each_partition() -> list[UUID]:
    found: dict[int, UUID] = {}
    while len(found) < COMMANDS_TOPIC.partitions:
        id_ = clock.new_id()
        found[partition_of(str(id_).encode())] = id_
    return [found[number] for number in range(COMMANDS_TOPIC.partitions)]
