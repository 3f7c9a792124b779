"""The words and names of people are nowhere on a disk in the clear, but in the mail that they are sent.

Each thing that is secret has a mark of its own. Each store also has to show a mark that may be seen: a search
that looks into the wrong files, or into compressed ones, would find nothing and mean nothing.
"""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC, TOPICS
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.redis import connect
from infra.settings import Settings
from ops.embedded import EmbeddedStack
from ops.mail import MAILS
from tests.clinic import CHECKUP, Clinic, Patient, ingress_process, records, worker_process
from tests.clinic import clinic as running_clinic
from tests.http.asking import book, booking, get
from tests.http.login.logins import log_in
from tests.http.people import register
from tests.privacy.attacker import wal_file, wal_files
from tests.processes import service
from tests.waiting import until_async

NAME, PHONE = "Balthasar Quackenbush", "+4930987651234"
REASON, REFUSED_REASON = "a whistle in the left ear", "a rattle in the right shoe"
TIME_OFF, DOCTOR = "away for a new knee", "Dr. Seen By All"
NOTE = "limps since the harvest festival"


@pytest.fixture
async def own(settings: Settings, template: str, tmp_path: Path) -> AsyncIterator[Clinic]:
    """A clinic whose services are processes, with their logs in `tmp_path`."""
    async with running_clinic(settings, template, worker=False, serve=False) as clinic:
        children = [
            ingress_process(clinic.settings, tmp_path),
            worker_process(clinic.settings, tmp_path),
            service("auditor", tmp_path, clinic.settings, "auditor"),
            service("notifier", tmp_path, clinic.settings, "notifier"),
        ]
        async with contextlib.AsyncExitStack() as exits:
            for child in children:
                await child.start()
                exits.push_async_callback(child.stop)

            async def decides() -> bool:
                body = {"name": "Dr. First", "specialty": "tests", "visit_types": [CHECKUP]}
                answer = await clinic.send("POST", "/v1/doctors", clinic.staff, body, key="first")
                return bool(answer.json()["state"] == "confirmed")

            await until_async(decides, "the worker decides", 60)
            yield clinic


async def test_nine_marks_are_in_the_mail_alone(own: Clinic, stack: EmbeddedStack, tmp_path: Path) -> None:
    first_wal, unique = await wal_file(own.postgres), clock.new_id().hex
    address, newer = f"balthasar.{unique}@example.org", f"quackenbush.{unique}@example.org"
    known = await register(own, address, name=NAME, phone=PHONE)
    tokens = await log_in(own, address)
    patient = Patient(known["id"], tokens.headers)
    secrets = [NAME, PHONE, REASON, REFUSED_REASON, TIME_OFF, NOTE, address, newer, tokens.refresh_token]

    doctor_id = await own.doctor(name=DOCTOR)
    slots = await own.slots(doctor_id)
    confirmed = (await book(own, patient, booking(doctor_id, slots[0], reason=REASON))).json()
    refused = (await book(own, patient, booking(doctor_id, slots[0], reason=REFUSED_REASON))).json()
    assert (confirmed["state"], refused["state"]) == ("confirmed", "refused")
    time_off = {"starts_at": slots[-2], "ends_at": slots[-1], "note": TIME_OFF}
    await own.confirmed("POST", f"/v1/doctors/{doctor_id}/time-off", own.staff, time_off)
    noted = await own.send("POST", f"/v1/patients/{patient.id}/notes", own.staff, {"text": NOTE})
    assert noted.status_code == 201, noted.text
    asked = await own.http.post("/v1/me/email", headers=patient.headers, json={"email": newer})
    assert asked.status_code == 202, asked.text
    found = await own.http.post("/v1/patients/search", headers=own.staff, json={"email": address})
    assert found.status_code == 200, found.text
    await get(own.http, f"/v1/patients/{patient.id}", own.staff)
    await set_aside(own, confirmed["command_id"])

    mails = stack.folder.path / MAILS
    for told in (address, newer):
        await until_async(partial(any_holds, mails, told), f"a mail to {told}", 60)
    trail = "SELECT count(*) FROM audit.entries WHERE action = 'PatientRead'"
    await until_async(lambda: own.postgres.fetchval(trail), "the read is in the trail", 60)

    pgdata = stack.folder.path / "postgres"
    await own.postgres.execute("CHECKPOINT")
    oid = await own.postgres.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
    stores = {
        "tables": (files(pgdata / "base" / str(oid)), DOCTOR),
        "write-ahead log": (wal_files(pgdata, first_wal, await wal_file(own.postgres)), DOCTOR),
        "Valkey": ([await dump(own, stack.folder.path / "valkey")], own.settings.namespace),
        "logs": (files(tmp_path / "logs"), "notifier"),
    }
    seen = {COMMANDS_TOPIC: DOCTOR, EVENTS_TOPIC: DOCTOR, DEAD_LETTERS_TOPIC: confirmed["appointment_id"]}
    for topic in TOPICS:
        # Not by `**`: folders of other tests' topics disappear.
        logs = list((stack.folder.path / "kafka" / "data").glob(f"{topic_name(own.settings, topic)}-*/*.log"))
        assert logs, topic.name
        stores[topic.name] = (logs, seen.get(topic, ""))
    for store, (paths, mark) in stores.items():
        content = b"".join(path.read_bytes() for path in paths).lower()
        assert mark.lower().encode() in content, f"{store}: the search sees nothing"
        assert [secret for secret in secrets if secret.lower().encode() in content] == [], store


async def set_aside(own: Clinic, command_id: str) -> None:
    """The booking once more, in a partition where it does not belong, so that it becomes a dead letter."""
    [record] = [
        record for record in await records(own.settings, COMMANDS_TOPIC) if command_id in str(record.headers)
    ]
    producer: AIOKafkaProducer = await start_producer(own.settings, "misled")
    try:
        await producer.send_and_wait(
            record.topic,
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            partition=(record.partition + 1) % COMMANDS_TOPIC.partitions,
        )
    finally:
        await producer.stop()

    async def is_there() -> bool:
        return bool(await records(own.settings, DEAD_LETTERS_TOPIC))

    await until_async(is_there, "a dead letter", 60)


async def dump(own: Clinic, folder: Path) -> Path:
    """All that Valkey holds, as a file without compression."""
    redis = connect(own.settings)
    await redis.config_set("rdbcompression", "no")
    await redis.save()
    await redis.aclose()
    return folder / "dump.rdb"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


async def any_holds(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in files(folder))
