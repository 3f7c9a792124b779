"""Faults of the system are not faults of a command: they are retried, and visible."""

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

from booking_worker.decide import transaction_runner
from booking_worker.main import running_worker
from booking_worker.store import store
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC
from infra.metrics import PARTITION_STOPPED
from infra.service import Service
from tests.clinic import CHECKUP, Clinic, records
from tests.delivery.ledger import check, commands_topic, settle
from tests.waiting import until_async

CLIENTS = 4
BOOKINGS = 12

ADDED_COLUMN = (
    "ALTER TABLE booking.appointments ADD COLUMN added int NOT NULL DEFAULT 0;"
    " ALTER TABLE booking.appointments ALTER COLUMN added DROP DEFAULT",
    "ALTER TABLE booking.appointments DROP COLUMN added",
    "NotNullViolation",
)
REVOKED = (
    "REVOKE INSERT ON booking.appointments FROM clinic_worker",
    "GRANT INSERT ON booking.appointments TO clinic_worker",
    "InsufficientPrivilege",
)
REFUSED_LOGIN = (
    "ALTER ROLE clinic_worker NOLOGIN;"
    " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clinic_worker'",
    "ALTER ROLE clinic_worker LOGIN",
    "InvalidAuthorizationSpecification",
)


@pytest.mark.parametrize("fault", [ADDED_COLUMN, REVOKED, REFUSED_LOGIN], ids=lambda fault: fault[2])
async def test_no_valid_command_fails_and_the_partitions_recover_by_themselves(
    undecided: Clinic, fault: tuple[str, str, str]
) -> None:
    begin, end, error = fault
    service = Service()
    async with running_worker(undecided.settings, service):
        doctors = [await undecided.doctor(policy={"max_active_per_patient": 1000}) for _ in range(CLIENTS)]
        slots = (await undecided.slots(doctors[0]))[::2][:BOOKINGS]

        async def book_all(doctor_id: str) -> None:
            patient = await undecided.patient()
            for slot in slots:
                body = {"doctor_id": doctor_id, "starts_at": slot, "visit_type": CHECKUP["code"]}
                state = "pending"
                while state == "pending":
                    answer = await undecided.send(
                        "POST", "/v1/appointments", patient.headers, body, key=f"{doctor_id}{slot}", wait=5
                    )
                    state = answer.json().get("state", answer.text)
                assert state == "confirmed", answer.text

        with capture_logs() as lines:
            clients = [asyncio.create_task(book_all(doctor_id)) for doctor_id in doctors]
            await undecided.postgres.execute(begin)
            try:

                async def met() -> bool:
                    return any(error in str(line.get("error")) for line in lines)

                await until_async(met, f"the worker meets {error}", 30)
            finally:
                await undecided.postgres.execute(end)
            await asyncio.gather(*clients)
        await settle(undecided)
        await check(undecided)
        assert service.failure is None
        topic = commands_topic(undecided)
        for number in range(COMMANDS_TOPIC.partitions):
            assert PARTITION_STOPPED.labels(topic, str(number))._value.get() == 0
    assert await records(undecided.settings, DEAD_LETTERS_TOPIC) == []


async def test_conflicts_without_end_stop_the_partition_with_an_alert_until_they_end(
    undecided: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store.write

    async def never(*_: object, **__: object) -> None:
        raise asyncpg.DeadlockDetectedError("again")

    monkeypatch.setattr(transaction_runner, "CONFLICTS_MAX", 3)
    monkeypatch.setattr(store, "write", never)
    topic = commands_topic(undecided)
    gauges = [PARTITION_STOPPED.labels(topic, str(number)) for number in range(COMMANDS_TOPIC.partitions)]

    async def stopped() -> bool:
        return any(gauge._value.get() for gauge in gauges)

    async with running_worker(undecided.settings):
        doctor = asyncio.create_task(undecided.doctor())
        await until_async(stopped, "the partition stops")
        monkeypatch.setattr(store, "write", write)
        await doctor
        await settle(undecided)
        assert not await stopped()
