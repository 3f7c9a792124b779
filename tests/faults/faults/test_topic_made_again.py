"""The topic of the commands is deleted and created again: its partitions stop and say why."""

import contextlib
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import connection, topic_name
from infra.kafka.topic_id import topic_ids
from infra.settings import Settings
from ops.topics import ensure_topics
from tests.clinic import CHECKUP, Clinic, worker_process
from tests.clinic import clinic as running_clinic
from tests.waiting import until, until_async

EXPLANATIONS = ("is not the one that was decided so far", "records are missing")
BOOKINGS = 3


async def _make_again(settings: Settings) -> None:
    name = topic_name(settings, COMMANDS_TOPIC)
    before = await topic_ids(settings, [name])
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    await admin.delete_topics([name])
    await admin.close()

    async def is_there_again() -> bool:
        await ensure_topics(settings)
        return await topic_ids(settings, [name]) != before

    await until_async(is_there_again, "the topic is another one")


async def _book(clinic: Clinic, doctor_id: str, slot: str, wait: int) -> str:
    patient = await clinic.patient()
    body = {"doctor_id": doctor_id, "starts_at": slot, "visit_type": CHECKUP["code"]}
    answer = await clinic.send("POST", "/v1/appointments", patient.headers, body, wait=wait)
    return str(answer.json().get("state") or answer.json()["code"])


@pytest.mark.parametrize("restarted", [True, False], ids=["found by a new worker", "found by one that runs"])
async def test_a_recreated_topic_stops_its_partitions(
    settings: Settings, template: str, tmp_path: Path, restarted: bool
) -> None:
    async with (
        running_clinic(settings, template, worker=False) as clinic,
        contextlib.AsyncExitStack() as exits,
    ):
        worker = worker_process(clinic.settings, tmp_path)
        await worker.start()
        exits.push_async_callback(worker.stop)
        doctor_id = await clinic.doctor()
        slots = (await clinic.slots(doctor_id))[::2]
        for slot in slots[:BOOKINGS]:
            assert await _book(clinic, doctor_id, slot, wait=10) == "confirmed"
        if restarted:
            await worker.stop()

        await _make_again(clinic.settings)
        if restarted:
            await worker.start()
        decided = await clinic.postgres.fetchval("SELECT count(*) FROM booking.decisions")
        for slot in slots[BOOKINGS:]:
            await _book(clinic, doctor_id, slot, wait=0)

        def explained() -> bool:
            log = worker.log_path.read_text()
            return any(text in log for text in EXPLANATIONS)

        until(explained, "the worker says why it stops", timeout_s=30)
        assert await clinic.postgres.fetchval("SELECT count(*) FROM booking.decisions") == decided
