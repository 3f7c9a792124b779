"""kill -9 of the worker under load: nothing is lost and nothing is done twice."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from uuid import UUID

from infra import clock
from ops.embedded import Child
from tests.clinic import CHECKUP, Clinic, Patient, worker_process
from tests.delivery.ledger import check, settle
from tests.waiting import until_async

KILLS = 20
CLIENTS = 12
DOCTORS = 6


async def test_twenty_kills_under_load(undecided: Clinic, tmp_path: Path) -> None:
    seed = clock.new_id().int
    chance = random.Random(seed)
    worker = worker_process(undecided.settings, tmp_path)
    await worker.start()
    doctors = [await undecided.doctor(policy={"max_active_per_patient": 1000}) for _ in range(DOCTORS)]
    slots = await undecided.slots(doctors[0])
    patients = [await undecided.patient() for _ in range(CLIENTS)]
    outcomes: Counter[str] = Counter()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for patient in patients:
            tasks.create_task(_client(undecided, patient, doctors, slots, chance, outcomes, stop))
        for _ in range(KILLS):
            await _kill_while_it_decides(undecided, worker, chance)
        stop.set()

    await settle(undecided)
    await check(undecided)
    await worker.stop()

    said = f"seed {seed}: {outcomes}"
    assert outcomes["confirmed"] >= KILLS, said
    assert outcomes.keys() <= {"confirmed", "refused"}, said
    booked = await undecided.postgres.fetchval("SELECT count(*) FROM booking.appointments")
    assert booked == outcomes["confirmed"], said


async def _kill_while_it_decides(clinic: Clinic, worker: Child, chance: random.Random) -> None:
    before = await _decided(clinic)

    async def decides_again() -> bool:
        return await _decided(clinic) > before

    await until_async(decides_again, "the worker decides", timeout_s=30)
    await asyncio.sleep(chance.uniform(0, 0.1))  # in some later batch
    await worker.kill()
    await worker.start()


async def _decided(clinic: Clinic) -> int:
    return int(await clinic.postgres.fetchval("SELECT count(*) FROM booking.decisions"))


async def _client(
    clinic: Clinic,
    patient: Patient,
    doctors: list[str],
    slots: list[str],
    chance: random.Random,
    outcomes: Counter[str],
    stop: asyncio.Event,
) -> None:
    while not stop.is_set():
        body = {
            "doctor_id": chance.choice(doctors),
            "starts_at": chance.choice(slots),
            "visit_type": CHECKUP["code"],
        }
        key = clock.new_id().hex
        commands, state = set[UUID](), "pending"
        while state == "pending":
            # An impatient client sends each request again, so that the log has the command several times.
            answer = await clinic.send("POST", "/v1/appointments", patient.headers, body, key=key, wait=1)
            if answer.status_code == 503:
                # Where a restart, or the machine, takes long. The next request has the same key.
                assert answer.json()["code"] in ("busy", "log_unavailable"), answer.text
                continue
            assert answer.status_code in (200, 202), answer.text
            commands.add(UUID(answer.json()["command_id"]))
            state = answer.json()["state"]
        assert len(commands) == 1
        outcomes[state] += 1
