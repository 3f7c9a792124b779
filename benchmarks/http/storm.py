"""A storm: a thousand clients at once for one slot, here and at an endpoint that inserts directly."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from benchmarks.http import direct
from benchmarks.http.fixture import WAIT_S, Clinic, head, registered_doctors
from benchmarks.http.load import connect
from benchmarks.report import Figure, Ratio, at_least, percentiles_ms
from benchmarks.stack.scratch import free_port, scratch_database
from infra import clock
from ops.load.cpu import CpuMeter
from ops.load.practice import ORDINARY, VISIT_TYPE

CLIENTS = 1_000
WARM_UP_CLIENTS = 50
SLOTS = 8
ANSWERS_TIMEOUT_S = 30.0
# Of the endpoint that spends its seconds in deadlocks.
SLOTS_OF_INSERT = 1
OF_INSERT_MIN = 3.0
_OUTCOME = re.compile(rb'"(?:reason|code)":\s*"(\w+)"|"state":\s*"(confirmed)"')

Requests = Callable[[datetime], list[bytes]]
"""One of each client, for the slot that starts then."""


@dataclass
class Storm:
    """What came of it. `seconds` is from the first request until the last answer, over all slots."""

    latencies_s: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slots: int = 0

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return len(self.latencies_s) / self.seconds

    def unexpected(self) -> dict[str, int]:
        """Outcomes beyond one booking per slot and a refusal for everybody else."""
        expected = Counter({"confirmed": self.slots, "slot_taken": self.slots * (CLIENTS - 1)})
        return dict((self.outcomes - expected) + Counter())


async def measure(clinic: Clinic, seconds: float) -> list[Figure]:
    """The same slots and the same clients, one service after the other; so many slots, whatever `seconds` is.

    Raises:
        ClinicError: the endpoint to compare with does not start.
    """
    slots = sorted(ORDINARY.starts(ZoneInfo(clinic.settings.time_zone)))[: SLOTS + 1]
    ours, ours_cpu = await _ours(clinic, slots)
    section = f"Storm: {CLIENTS:,} clients at once for one slot, one slot after the other; answers"
    values = _values(ours)
    theirs = []
    for (name, path), column in zip(direct.PATHS.items(), ("of_insert", "of_on_conflict"), strict=True):
        slots_there = slots if "conflict" in path else slots[: SLOTS_OF_INSERT + 1]
        storm, cpu = await _theirs(clinic, slots_there, path)
        values[column] = ours.per_s / storm.per_s
        name = f"FastAPI + asyncpg, pool of {direct.POOL_SIZE}: {name}"
        theirs.append(Figure(section, name, _values(storm), cpu, storm.unexpected()))
    goals = (at_least(values, "of_insert", OF_INSERT_MIN),)
    ratios = (Ratio("storm for one slot / INSERT ON CONFLICT behind FastAPI", values["of_on_conflict"]),)
    return [Figure(section, "the clinic", values, ours_cpu, ours.unexpected(), goals, ratios), *theirs]


def _values(storm: Storm) -> dict[str, float]:
    return {"slots": float(storm.slots), "per_s": storm.per_s, **percentiles_ms(storm.latencies_s)}


async def _ours(clinic: Clinic, slots: Sequence[datetime]) -> tuple[Storm, dict[str, float]]:
    run = clock.new_id().hex[:8]
    [doctor_id] = await registered_doctors(clinic.settings, run, "storm", ORDINARY, 1)
    post = head("POST", "/v1/appointments", clinic.settings) + b"content-type: application/json\r\n"

    def requests(slot: datetime) -> list[bytes]:
        key = f"idempotency-key: {run}-{slot.timestamp():.0f}\r\nprefer: wait={WAIT_S}\r\n".encode()
        body = _body(slot, doctor_id=doctor_id)
        return [
            b"%sauthorization: Bearer %s\r\n%s%s" % (post, token, key, body)
            for token in clinic.new_patients[:CLIENTS]
        ]

    return await _storms(clinic.url, slots, requests, CpuMeter(clinic.data_dir))


async def _theirs(clinic: Clinic, slots: Sequence[datetime], path: str) -> tuple[Storm, dict[str, float]]:
    doctor_id, patients = uuid4(), [uuid4() for _ in range(CLIENTS)]
    async with AsyncExitStack() as exits:
        name = f"bench_direct_{clock.new_id().hex[:8]}"
        scratch = await exits.enter_async_context(scratch_database(clinic.settings, name))
        scratch = scratch.model_copy(update={"port": free_port()})
        pid = await exits.enter_async_context(direct.served(scratch))
        post = head("POST", path, scratch) + b"content-type: application/json\r\n"

        def requests(slot: datetime) -> list[bytes]:
            return [post + _body(slot, doctor_id=doctor_id, patient_id=patient) for patient in patients]

        meter = CpuMeter(clinic.data_dir, {"direct": pid})
        return await _storms(f"http://127.0.0.1:{scratch.port}", slots, requests, meter)


def _body(slot: datetime, **ids: UUID) -> bytes:
    members = [f'"{name}":"{id_}"' for name, id_ in ids.items()]
    body = f'{{{",".join(members)},"visit_type":"{VISIT_TYPE}","starts_at":"{slot.isoformat()}"}}'
    return f"content-length: {len(body)}\r\n\r\n{body}".encode()


async def _storms(
    url: str, slots: Sequence[datetime], requests: Requests, meter: CpuMeter
) -> tuple[Storm, dict[str, float]]:
    await _one_slot(url, requests(slots[0])[:WARM_UP_CLIENTS], Storm())
    storm = Storm()
    meter.restart()
    for slot in slots[1:]:
        await _one_slot(url, requests(slot), storm)
    return storm, meter.percent()


async def _one_slot(url: str, requests: Sequence[bytes], storm: Storm) -> None:
    connections = [await connect(url) for _ in requests]
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    began_s = time.perf_counter()
    missing = len(requests)

    def note(status: int, body: bytes) -> None:
        nonlocal missing
        if answered.done():
            return
        found = _OUTCOME.search(body)
        outcome = (found[1] or found[2]).decode() if found and status in (200, 409) else f"status {status}"
        storm.outcomes[outcome] += 1
        storm.latencies_s.append(time.perf_counter() - began_s)
        missing -= 1
        if not missing:
            answered.set_result(None)

    for connection, request in zip(connections, requests, strict=True):
        connection.send(request, note)
    await asyncio.wait((answered,), timeout=ANSWERS_TIMEOUT_S)
    answered.cancel()
    storm.outcomes["no answer"] += missing
    storm.seconds += time.perf_counter() - began_s
    storm.slots += 1
    for connection in connections:
        connection.close()
