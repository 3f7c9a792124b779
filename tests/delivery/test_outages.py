"""A server is killed and restarted. The services are processes, restarted as by `clinic up`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from infra.settings import Settings
from ops.embedded import Child, EmbeddedStack
from ops.embedded.supervisor import Supervisor
from tests.clinic import CHECKUP, Clinic, ingress_process, worker_process
from tests.clinic import clinic as running_clinic
from tests.delivery.ledger import check, settle
from tests.waiting import until_async

RECOVERY_TIMEOUT_S = 30.0


@pytest.fixture
async def supervised(
    settings: Settings, template: str, tmp_path: Path, stack: EmbeddedStack
) -> AsyncIterator[Clinic]:
    """A clinic whose ingress and worker are processes under a supervisor."""
    said: list[str] = []
    async with running_clinic(settings, template, worker=False, serve=False) as clinic:
        children = [ingress_process(clinic.settings, tmp_path), worker_process(clinic.settings, tmp_path)]
        await asyncio.gather(*(child.start() for child in children))
        supervisor = Supervisor(said.append)
        for child in children:
            supervisor.watch(child)
        yield clinic
        await supervisor.close()
        await asyncio.gather(*(child.stop() for child in children))


@contextlib.asynccontextmanager
async def killed(server: Child) -> AsyncIterator[None]:
    """`kill -9` the server; it is restarted at the end of the block."""
    await server.kill()
    try:
        yield
    finally:
        await server.start()


class Booker:
    """Books slot after slot; each request has its own key and is repeated until it is answered."""

    def __init__(self, clinic: Clinic, doctor_id: str, slots: list[str], headers: dict[str, str]) -> None:
        self.clinic = clinic
        self.confirmed = 0
        self.doctor_id = doctor_id
        self._slots = iter(slots)
        self._headers = headers

    @classmethod
    async def of(cls, clinic: Clinic) -> "Booker":
        doctor_id = await clinic.doctor(policy={"max_active_per_patient": 1000})
        patient = await clinic.patient()
        return cls(clinic, doctor_id, (await clinic.slots(doctor_id))[::2], patient.headers)

    async def send(self, slot: str, wait: int = 5) -> httpx.Response:
        """Try once to book the slot."""
        body = {"doctor_id": self.doctor_id, "starts_at": slot, "visit_type": CHECKUP["code"]}
        return await self.clinic.send("POST", "/v1/appointments", self._headers, body, key=slot, wait=wait)

    def next_slot(self) -> str:
        """A slot that was not requested before."""
        return next(self._slots)

    async def book(self, slot: str | None = None) -> None:
        """Book, with as many tries as necessary."""
        slot = slot or self.next_slot()

        async def try_once() -> bool:
            try:
                answer = await self.send(slot)
            except httpx.TransportError:
                return False  # the ingress is restarting
            assert answer.status_code in (200, 202, 503), answer.text
            if answer.status_code == 503:
                assert answer.headers["retry-after"].isdigit()
            return answer.status_code == 200 and answer.json()["state"] == "confirmed"

        await until_async(try_once, f"{slot} booked", RECOVERY_TIMEOUT_S)
        self.confirmed += 1


async def all_is_well(booker: Booker) -> None:
    """Asserts that every booking exists once and that the events agree."""
    await settle(booker.clinic)
    await check(booker.clinic)
    booked = await booker.clinic.postgres.fetchval("SELECT count(*) FROM booking.appointments")
    assert booked == booker.confirmed


async def test_without_redis_bookings_and_status_go_on(supervised: Clinic, stack: EmbeddedStack) -> None:
    booker = await Booker.of(supervised)
    await booker.book()
    async with killed(stack.processes["valkey"]):
        for _ in range(5):
            await booker.book()
        pending = await booker.send(slot := booker.next_slot(), wait=0)
        status = await supervised.http.get(
            pending.headers["location"], params={"wait": 10}, headers=supervised.staff
        )
        assert (status.status_code, status.json()["state"]) == (200, "confirmed")
        await booker.book(slot)
        ready = (await supervised.http.get("/health/ready")).json()
        assert ready["parts"] == {"postgres": "up", "kafka": "up", "redis": "down"}
    await booker.book()
    await all_is_well(booker)


async def test_without_kafka_a_write_is_503_never_a_false_202(
    supervised: Clinic, stack: EmbeddedStack
) -> None:
    booker = await Booker.of(supervised)
    await booker.book()
    slot = booker.next_slot()
    async with killed(stack.processes["kafka"]):
        answer = await booker.send(slot)
        assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert len(await supervised.slots(booker.doctor_id)) > 0, "reads still work"
    await booker.book(slot)
    await booker.book()
    await all_is_well(booker)


async def test_without_postgres_commands_wait_and_are_decided_after_the_outage(
    supervised: Clinic, stack: EmbeddedStack
) -> None:
    booker = await Booker.of(supervised)
    await booker.book()
    slots = [booker.next_slot() for _ in range(10)]
    accepted = await asyncio.gather(*(booker.send(slot, wait=0) for slot in slots))
    assert {answer.status_code for answer in accepted} == {202}
    async with killed(stack.processes["postgres"]):
        answer = await supervised.http.get("/v1/doctors")
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    await asyncio.gather(*(booker.book(slot) for slot in slots))
    await all_is_well(booker)
