"""A small separate clinic on the same servers, for faults that only an operator could repair.

One ingress, one worker and one auditor, with topics and a database of their own. Damage to its history does
not affect the machine's; the broker that is stopped for it is shared.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from contracts.commands import Actor, ActorKind
from contracts.topics import Topic
from infra import clock
from infra.kafka.connection import topic_name
from infra.settings import Settings
from ops import probes
from ops.embedded import Child
from ops.embedded.process import PartFailedError
from ops.embedded.supervisor import Supervisor
from ops.tokens import register_patients
from ops.topics import ensure_topics
from tests.clinic import database
from tests.faults.checker import Finding
from tests.faults.machine.machine import Machine
from tests.faults.machine.servers import free_port
from tests.faults.machine.source import python_from, run_from
from tests.faults.monitors.logbook import STOPPED, Log, stopped_partitions
from tests.faults.workload.scene import WALK_IN_TYPES, partition_of, weekly
from tests.processes import environment
from tests.tokens import Tokens

POLICY = {"slot_minutes": 1, "min_notice_minutes": 0, "change_notice_minutes": 0}
SAID_S_MAX = 30.0
DECIDED_S_MAX = 30.0
POLL_S = 0.5
TIMEOUT_S = 20.0


class Side:
    """The small clinic, for one fault.

    Attributes:
        settings: its own.
        services: its processes, kept running by a supervisor.
        doctors: the ids of two doctors, in two partitions; `partitions` are theirs.
    """

    def __init__(self, machine: Machine, settings: Settings, directory: Path, fault: str) -> None:
        self.settings = settings
        self.services: dict[str, Child] = {}
        self.doctors: list[str] = []
        self.partitions: list[int] = []
        self.kafka = machine.servers["kafka"]
        self._machine = machine
        self._directory = directory
        self._fault = fault
        self._said: list[str] = []
        self._supervisor = Supervisor(self._said.append)
        self._metrics: dict[str, str] = {}
        self._logs: dict[str, Log] = {}
        self._number = 0
        self._tokens = Tokens(settings)
        self._staff = Actor(kind=ActorKind.STAFF, id=clock.new_id())

    def find(self, invariant: str, text: str) -> None:
        """Record a violated guarantee."""
        self._machine.findings.append(Finding(invariant, f"{self._fault}: {text}"))

    async def start(self, *kinds: str) -> None:
        """Start services under a supervisor."""
        for kind in kinds:
            child = self.services.get(kind) or self._child(kind)
            self.services[kind] = child
            await child.start()
            self._supervisor.watch(child)

    async def stop(self, *kinds: str) -> None:
        """Stop these services, or all; the supervisor does not restart them."""
        await self._supervisor.close()
        self._supervisor = Supervisor(self._said.append)
        stopped = kinds or tuple(self.services)
        await asyncio.gather(*(self.services[kind].stop() for kind in stopped))
        for kind, child in self.services.items():
            if kind not in stopped:
                self._supervisor.watch(child)

    async def prepare(self) -> None:
        """Register two doctors with hours, in two partitions."""
        [self._patient_id] = await register_patients(self.settings, [f"{clock.new_id().hex}@example.org"])
        while len(self.doctors) < 2:
            id_ = str(clock.new_id())
            if (partition := partition_of(id_.encode())) not in self.partitions:
                self.doctors.append(id_)
                self.partitions.append(partition)
        for id_ in self.doctors:
            doctor = {
                "id": id_,
                "name": "Dr. Side",
                "specialty": "faults",
                "time_zone": "Europe/Berlin",
                "visit_types": WALK_IN_TYPES,
                "policy": POLICY,
            }
            await self.write("POST", "/v1/doctors", doctor, wait_s=10)
            hours = {"hours": weekly(("00:00", "23:59"))}
            await self.write("PUT", f"/v1/doctors/{id_}/schedule", hours, wait_s=10)

    async def write(self, method: str, path: str, body: Any, wait_s: int) -> tuple[int, dict[str, Any]]:
        """One write with a key of its own: status and answer; 0 without an answer."""
        headers = {
            **self._tokens.bearer(self._staff),
            "Idempotency-Key": clock.new_id().hex,
            "Prefer": f"wait={wait_s}",
        }
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
                answer = await http.request(method, f"{self.settings.url}{path}", json=body, headers=headers)
                return answer.status_code, answer.json()
        except (httpx.HTTPError, ValueError):
            return 0, {}

    async def book(self, doctor: int = 0, wait_s: int = 10) -> tuple[int, dict[str, Any]]:
        """Book the next free time."""
        self._number += 1
        starts_at = clock.now().replace(second=0, microsecond=0) + timedelta(days=2, minutes=3 * self._number)
        body = {
            "doctor_id": self.doctors[doctor],
            "patient_id": str(self._patient_id),
            "starts_at": starts_at.isoformat(),
            "visit_type": "checkup",
        }
        return await self.write("POST", "/v1/appointments", body, wait_s)

    async def confirmed(self, count: int, doctor: int = 0) -> list[dict[str, Any]]:
        """So many bookings, each confirmed."""
        answers = [await self.book(doctor) for _ in range(count)]
        for status, answer in answers:
            if answer.get("state") != "confirmed":
                self.find("I1", f"before the fault a booking is answered {status} {answer}")
        return [answer for _, answer in answers]

    async def state(self, answer: dict[str, Any]) -> str | None:
        """The state by the receipt now; None without an answer."""
        path = (answer.get("links") or {}).get("self")
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
                response = await http.get(
                    f"{self.settings.url}{path}", headers=self._tokens.bearer(self._staff)
                )
                return str(response.json().get("state"))
        except (httpx.HTTPError, ValueError):
            return None

    async def still(self, answers: Sequence[dict[str, Any]], *states: str) -> None:
        """Checks that each receipt shows one of these states, or cannot be answered for now."""
        for answer in answers:
            state = await self.state(answer)
            if state is not None and state not in states:
                self.find("I7", f"a receipt says {state}; it can only be {' or '.join(states)}")

    async def decides(self, doctor: int, text: str) -> None:
        """Checks that the doctor's partition decides."""
        deadline = time.monotonic() + DECIDED_S_MAX
        while time.monotonic() < deadline:
            _, answer = await self.book(doctor, wait_s=3)
            if answer.get("state") == "confirmed":
                return
            await asyncio.sleep(POLL_S)
        self.find("I11", f"{text} does not decide within {DECIDED_S_MAX:g} s")

    async def takes_nothing(self, doctor: int = 0) -> None:
        """Checks that no write to the doctor's partition gets a 202: an acknowledged one could not be
        decided.
        """
        status, answer = await self.book(doctor, wait_s=0)
        if status == httpx.codes.ACCEPTED:
            self.find("I1", f"a write is accepted ({answer.get('state')}) that can never be decided")

    async def reports(self, kind: str, topic: Topic, partition: int, metric: str = STOPPED) -> None:
        """Checks that within 30 s a critical line and the metric of the service report the partition."""
        name, deadline = topic_name(self.settings, topic), time.monotonic() + SAID_S_MAX
        log = self._logs[kind]
        missing = ["critical line", "metric"]
        async with httpx.AsyncClient(trust_env=False) as http:
            while missing and time.monotonic() < deadline:
                await asyncio.sleep(POLL_S)
                log.poll()
                lined = any(line.is_about(name, partition) for line in log.critical)
                counted = (name, partition) in await stopped_partitions(http, self._metrics[kind], metric)
                missing = [
                    channel for channel, said in (("critical line", lined), ("metric", counted)) if not said
                ]
        if missing:
            text = f"{metric} of the {kind}'s partition {partition} of {topic.name}: after {SAID_S_MAX:g} s"
            self.find("I11", f"{text} no {' and no '.join(missing)} says so")

    def restarts(self) -> int:
        """How often a service ended by itself."""
        return sum("stopped with status" in line for line in self._said)

    def _child(self, kind: str) -> Child:
        settings, probe = self.settings, None
        if kind == "ingress":
            probe = partial(probes.ingress, settings.url)
        else:
            port = free_port(set())
            settings = settings.model_copy(update={"metrics_port": port})
            self._metrics[kind] = f"http://127.0.0.1:{port}/metrics"
        for folder in ("run", "logs"):
            (self._directory / folder).mkdir(parents=True, exist_ok=True)
        python, variables = python_from(self._machine.source)
        variables |= {**environment(settings), "CLINIC_INSTANCE": f"side-{kind}"}
        argv = [*python, "-m", "ops.cli", "run", kind, "--data", self._directory]
        name = f"side-{kind}"
        self._logs[kind] = Log(name, self._directory / "logs" / f"{name}.log")
        return Child(name, [*map(str, argv)], data_dir=self._directory, env=variables, probe=probe)


@contextlib.asynccontextmanager
async def side_clinic(machine: Machine, fault: str) -> AsyncIterator[Side]:
    """A small clinic that runs inside the block."""
    port = free_port(set())
    name = clock.new_id().hex[:8]
    async with database(machine.settings) as settings:
        settings = settings.model_copy(
            update={"namespace": f"side{name}.", "port": port, "url": f"http://127.0.0.1:{port}"}
        )
        await asyncio.to_thread(
            run_from, machine.source, "-m", "ops.cli", "migrate", environment=environment(settings)
        )
        await ensure_topics(settings)
        side = Side(machine, settings, machine.directory / f"side-{fault}-{name}", fault)
        try:
            await side.start("worker", "auditor", "ingress")
            await side.prepare()
            yield side
        except PartFailedError as error:
            side.find("I11", f"a service does not start: {error}"[:300])
        finally:
            await side.stop()
