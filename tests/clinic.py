"""A clinic per test: a database cloned from a template, topics in a namespace, both services."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from booking_worker.main import running_worker
from contracts.commands import Actor, ActorKind
from contracts.topics import TOPICS, Topic
from infra import clock
from infra.kafka.connection import connection, topic_name
from infra.settings import Settings
from ingress.main import running_ingress
from ops import probes
from ops.embedded import Child
from ops.tokens import register_patients
from ops.topics import ensure_topics
from tests.processes import service
from tests.tokens import Tokens, bearer
from tests.waiting import until_answers

START_TIMEOUT_S = 30.0
CHECKUP = {"code": "checkup", "name": "Check-up", "minutes": 30}
ALL_WEEK = [{"weekday": day, "starts": "08:00", "ends": "18:00"} for day in range(1, 8)]


@contextlib.asynccontextmanager
async def database(settings: Settings, template: str | None = None) -> AsyncIterator[Settings]:
    """Settings with a database of the test's own, empty or cloned from a template; dropped at the end."""
    name = f"t{clock.new_id().hex[:8]}"
    dsn = settings.postgres_dsn.get_secret_value()
    await _execute(dsn, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    yield settings.model_copy(
        update={
            "postgres_dsn": _in(name, dsn),
            "postgres_dsn_ingress": _in(name, settings.ingress_dsn),
            "postgres_dsn_worker": _in(name, settings.worker_dsn),
            "postgres_dsn_auditor": _in(name, settings.auditor_dsn),
            "postgres_dsn_notifier": _in(name, settings.notifier_dsn),
        }
    )
    await _execute(dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(dsn: str, statement: str) -> None:
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()


def _in(name: str, dsn: str) -> SecretStr:
    return SecretStr(f"{dsn.rpartition('/')[0]}/{name}")


@contextlib.asynccontextmanager
async def namespace(settings: Settings) -> AsyncIterator[Settings]:
    """Settings with topics of the test's own, deleted at the end."""
    own = settings.model_copy(update={"namespace": f"t{clock.new_id().hex[:8]}."})
    await ensure_topics(own)
    yield own
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    await admin.delete_topics([topic_name(own, topic) for topic in TOPICS])
    await admin.close()


def free_port() -> int:
    """A port on 127.0.0.1 without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Clinic:
    """A clinic for tests: `http` is a client, `postgres` a connection as the owner."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, postgres: asyncpg.Pool) -> None:
        self.settings = settings
        self.http = http
        self.postgres = postgres
        self._staff = Actor(kind=ActorKind.STAFF, id=clock.new_id())
        self._tokens = Tokens(settings)
        self.headers = partial(bearer, settings)

    @property
    def staff(self) -> dict[str, str]:
        """A token of a member of staff, always the same one."""
        return self._tokens.bearer(self._staff)

    async def patient(self) -> "Patient":
        """A new patient."""
        [patient_id] = await register_patients(self.settings, [f"{clock.new_id().hex}@example.org"])
        return Patient(patient_id, self.headers(Actor(kind=ActorKind.PATIENT, id=patient_id)))

    async def send(
        self,
        method: str,
        path: str,
        who: dict[str, str],
        body: Any = None,
        key: str | None = None,
        wait: int = 10,
    ) -> httpx.Response:
        """A write, with a new idempotency key unless one is given."""
        headers = {**who, "Idempotency-Key": key or clock.new_id().hex}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return await self.http.request(method, path, headers=headers, json=body)

    async def confirmed(
        self, method: str, path: str, who: dict[str, str], body: Any = None
    ) -> dict[str, Any]:
        """A write, which has to be confirmed: its command resource."""
        response = await self.send(method, path, who, body)
        resource: dict[str, Any] = response.json()
        assert (response.status_code, resource.get("state")) == (200, "confirmed"), response.text
        return resource

    async def refused(self, method: str, path: str, who: dict[str, str], body: Any = None) -> str:
        """A write, which has to be refused: the reason."""
        response = await self.send(method, path, who, body)
        resource = response.json()
        assert (response.status_code, resource.get("state")) == (200, "refused"), response.text
        return str(resource["refusal"]["reason"])

    async def doctor(self, hours: list[dict[str, Any]] | None = None, **fields: Any) -> str:
        """A registered doctor with hours all week: the id."""
        body = {"name": "Dr. Test", "specialty": "tests", "visit_types": [CHECKUP], **fields}
        doctor_id = (await self.confirmed("POST", "/v1/doctors", self.staff, body))["doctor_id"]
        schedule = {"hours": ALL_WEEK if hours is None else hours}
        await self.confirmed("PUT", f"/v1/doctors/{doctor_id}/schedule", self.staff, schedule)
        return str(doctor_id)

    async def slots(self, doctor_id: str, visit_type: str = "checkup", days: int = 7) -> list[str]:
        """The starts of free slots, from tomorrow on."""
        tomorrow = clock.now().date() + timedelta(days=1)
        response = await self.http.get(
            f"/v1/doctors/{doctor_id}/availability",
            params={
                "from": str(tomorrow),
                "to": str(tomorrow + timedelta(days=days - 1)),
                "visit_type": visit_type,
            },
        )
        assert response.status_code == 200, response.text
        return [slot["starts_at"] for day in response.json()["days"] for slot in day["slots"]]

    async def events(self) -> list[ConsumerRecord]:
        """The records on the events' topic, partition by partition."""
        return await records(self.settings, TOPICS[1])


class Patient:
    """A patient: the id and a token."""

    def __init__(self, id_: UUID, headers: dict[str, str]) -> None:
        self.id = id_
        self.headers = headers


async def records(settings: Settings, topic: Topic) -> list[ConsumerRecord]:
    """All records on a topic, partition by partition."""
    name = topic_name(settings, topic)
    consumer = AIOKafkaConsumer(
        **connection(settings), enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[TopicPartition, list[ConsumerRecord]] = {partition: [] for partition in partitions}
        async with asyncio.timeout(START_TIMEOUT_S):
            # By position: transaction markers take offsets too.
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for partition, batch in (await consumer.getmany(timeout_ms=100)).items():
                    found[partition] += batch
        return [record for partition in partitions for record in found[partition]]
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def ingress(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An ingress in this process, on a real port, and a client for it."""
    async with running_ingress(settings), _client(settings) as http:
        await until_answers(lambda: probes.ingress(settings.url), START_TIMEOUT_S)
        yield http


def _client(settings: Settings) -> httpx.AsyncClient:
    # Not HTTPS: to load the authorities would take longer than a request.
    return httpx.AsyncClient(base_url=settings.url, timeout=30, trust_env=False, verify=False)


@contextlib.asynccontextmanager
async def clinic(
    settings: Settings, template: str, *, worker: bool = True, serve: bool = True
) -> AsyncIterator[Clinic]:
    """A clinic on running servers; without `worker` or `serve`, that part is left to the test."""
    port = free_port()
    async with contextlib.AsyncExitStack() as exits:
        own = await exits.enter_async_context(database(settings, template))
        own = await exits.enter_async_context(namespace(own))
        address = {"port": port, "url": f"http://127.0.0.1:{port}"}
        own = own.model_copy(update={**address, "patient_commands_per_day": 1_000_000})
        postgres = await asyncpg.create_pool(own.postgres_dsn.get_secret_value(), min_size=1, max_size=4)
        exits.push_async_callback(postgres.close)
        http = await exits.enter_async_context(ingress(own) if serve else _client(own))
        if worker:
            await exits.enter_async_context(running_worker(own))
        yield Clinic(own, http, postgres)


def worker_process(settings: Settings, directory: Path, number: int = 1) -> Child:
    """A booking worker process, not started yet; it can be killed."""
    return service("worker", directory, settings, f"worker-{number}")


def ingress_process(settings: Settings, directory: Path, number: int = 1) -> Child:
    """An ingress process, not started yet; once started, it answers."""
    return service("ingress", directory, settings, f"ingress-{number}", partial(probes.ingress, settings.url))


def data(record: ConsumerRecord) -> dict[str, Any]:
    """A record's JSON."""
    value: dict[str, Any] = json.loads(record.value)
    return value


def instant(text: str) -> datetime:
    """An RFC 3339 text as an instant."""
    return datetime.fromisoformat(text)
