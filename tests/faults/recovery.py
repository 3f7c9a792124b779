"""How long it takes until every partition decides again, measured by asking each for a decision."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
from aiokafka.partitioner import DefaultPartitioner

from contracts.commands import Actor, ActorKind
from contracts.topics import COMMANDS
from infra import clock
from infra.settings import Settings
from infra.tokens import issue_token, load_signing_key
from ops.tokens import register_patients
from tests.faults.checker import Finding
from tests.faults.history import STAFF, Call, History
from tests.faults.sender import json_of

INVARIANT = "I10"
# Worker killed: deciding again. The others from when the server is back.
WORKER_S_MAX = 10.0
KAFKA_S_MAX = 30.0
POSTGRES_S_MAX = 15.0

PATH = "/v1/appointments"
# The number of the client that probes: none of those that work.
PROBE = -1
GIVE_UP_S = 120.0
WAIT_S = 1
TRY_TIMEOUT_S = 4.0
RETRY_INTERVAL_S = 0.2
TOKEN_VALID = timedelta(hours=12)


@dataclass(frozen=True)
class Recovery:
    """After which fault, how long until all partitions decided, and how long that may take at most."""

    after: str
    seconds: float
    seconds_max: float | None


class Recoveries:
    """Measures recoveries while `watching`; one that takes too long becomes a finding.

    Attributes:
        measured: all of them, in the order of their ends.
        give_up_s: after that it is not waited for any more.
    """

    def __init__(self, history: History, findings: list[Finding]) -> None:
        """What is asked goes to the history, as any client's calls do."""
        self.measured: list[Recovery] = []
        self.give_up_s = GIVE_UP_S
        self._history = history
        self._number = 0
        self._findings = findings
        self._doctors = _a_doctor_in_each_partition()

    @contextlib.asynccontextmanager
    async def watching(self, settings: Settings, urls: list[str]) -> AsyncIterator[None]:
        """Be ready to ask the ingresses at these addresses, as staff, for a patient of one's own."""
        [self._patient_id] = await register_patients(settings, [f"{clock.new_id().hex}@example.org"])
        staff = Actor(kind=ActorKind.STAFF, id=clock.new_id())
        token = issue_token(load_signing_key(settings.signing_key_file), staff, TOKEN_VALID)
        headers = {"Authorization": f"Bearer {token}"}
        async with contextlib.AsyncExitStack() as exits:
            self._clients = [
                await exits.enter_async_context(
                    httpx.AsyncClient(base_url=url, headers=headers, timeout=TRY_TIMEOUT_S, trust_env=False)
                )
                for url in urls
            ]
            yield

    async def measure(self, after: str, since: float, seconds_max: float | None = None) -> None:
        """Return when every partition has decided a command sent from now on.

        `since` is when the time began, by `time.monotonic()`.
        """
        try:
            async with asyncio.timeout(self.give_up_s):
                await asyncio.gather(*(self._decided(place) for place in range(len(self._doctors))))
        except TimeoutError:
            text = f"after {after} not all partitions decide again within {self.give_up_s:g} s"
            self._findings.append(Finding(INVARIANT, text))
            return
        took = time.monotonic() - since
        self.measured.append(Recovery(after, took, seconds_max))
        if seconds_max is not None and took > seconds_max:
            promised = f"and not within {seconds_max:g} s"
            text = f"after {after} all partitions decide again after {took:.1f} s {promised}"
            self._findings.append(Finding(INVARIANT, text))

    async def _decided(self, partition: int) -> None:
        # The doctor is not known: the answer is a refusal, and nothing else is in its way.
        body = {
            "doctor_id": str(self._doctors[partition]),
            "patient_id": str(self._patient_id),
            "starts_at": "2030-01-01T09:00:00Z",
            "visit_type": "checkup",
        }
        key = f"probe-{clock.new_id().hex}"
        for tries in itertools.count(partition):
            if await self._ask(self._clients[tries % len(self._clients)], key, body):
                return
            await asyncio.sleep(RETRY_INTERVAL_S)

    async def _ask(self, client: httpx.AsyncClient, key: str, body: dict[str, str]) -> bool:
        """Whether the booking is decided by now."""
        headers = {"Idempotency-Key": key, "Prefer": f"wait={WAIT_S}"}
        self._number += 1
        call = Call(
            PROBE, self._number, time.monotonic(), None, "POST", PATH, body, key, STAFF, at=time.time()
        )
        self._history.calls.append(call)
        try:
            answer = await client.post(PATH, json=body, headers=headers)
        except httpx.TransportError as error:
            call.error = repr(error)
            return False
        call.ended, call.status, call.headers = time.monotonic(), answer.status_code, dict(answer.headers)
        call.answer = json_of(answer, call)
        return answer.status_code == httpx.codes.OK


def _a_doctor_in_each_partition() -> list[UUID]:
    partition_of, numbers = DefaultPartitioner(), list(range(COMMANDS.partitions))
    found: dict[int, UUID] = {}
    while len(found) < len(numbers):
        id_ = clock.new_id()
        found[partition_of(str(id_).encode(), numbers, numbers)] = id_
    return [found[number] for number in numbers]
