"""How each alert is brought about on running services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from ops import orders
from tests.alerts.scene import Scene
from tests.delivery.test_outages import killed
from tests.replay.foreign.forger import Forger
from tests.waiting import until_async

DEAD_LETTERS_IN_A_ROW = 100
BACKLOG_S = 10
# Poison goes to a partition of its own, as it stops it.
POISONED = 0

Steps = Callable[[Scene], AsyncIterator[None]]
Act = Callable[[Scene], contextlib.AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Provocation:
    """`act` holds the condition inside its block; for those `once`, a single event has to be enough."""

    act: Act
    alerts: tuple[str, ...]
    once: tuple[str, ...] = ()


PROVOCATIONS: list[Provocation] = []


def provokes(*alerts: str, once: tuple[str, ...] = ()) -> Callable[[Steps], Steps]:
    """Add a provocation of these alerts, and of those for which a single event is enough."""

    def add(steps: Steps) -> Steps:
        PROVOCATIONS.append(Provocation(contextlib.asynccontextmanager(steps), (*alerts, *once), once))
        return steps

    return add


async def post(scene: Scene, path: str, who: dict[str, str], body: Any = None, **headers: str) -> int:
    """The status of a write."""
    headers = {**who, "Idempotency-Key": clock.new_id().hex, **headers}
    return (await scene.clinic.http.post(path, headers=headers, json=body)).status_code


@provokes("ClinicServiceDown")
async def a_service_dies(scene: Scene) -> AsyncIterator[None]:
    notifier = scene.consumers["notifier"]
    await notifier.kill()
    yield
    await notifier.start()


@provokes("ClinicPartitionPaused", "ClinicBacklog", "ClinicWritesSlow")
async def an_operator_pauses_the_worker(scene: Scene) -> AsyncIterator[None]:
    clinic = scene.clinic
    await orders.pause(clinic.settings, "worker", None, "a test")
    await scene.until("clinic_partition_paused", 1)
    visit_types = [{"code": "checkup", "name": "Check-up", "minutes": 30}]
    body = {"name": "Dr. Late", "specialty": "tests", "visit_types": visit_types}
    assert await post(scene, "/v1/doctors", clinic.staff, body, Prefer="wait=1") == 202
    await scene.until("clinic_backlog_seconds", BACKLOG_S + 1)
    yield
    await orders.resume(clinic.settings, "worker", None)


@provokes(once=("ClinicDeadLetters",))
async def a_command_that_cannot_be_read(scene: Scene) -> AsyncIterator[None]:
    await poison(scene, 1)
    await scene.until("clinic_dead_letters_total", 1, reason="no_envelope")
    yield


@provokes(once=("ClinicForeignEvents",))
async def somebody_else_writes_an_event(scene: Scene) -> AsyncIterator[None]:
    settings = scene.clinic.settings
    await scene.clinic.doctor()
    producer = await start_producer(settings, "forger")
    forger = Forger(settings, producer)
    last = await forger.last()
    await forger.forge(last, int(dict(last.headers)["ce_sequence"] or b"0") + 1)
    await producer.stop()
    await scene.until("clinic_foreign_events_total", 1, instance="auditor")
    yield


@provokes("ClinicTrailNotWitnessed")
async def the_witness_is_gone(scene: Scene) -> AsyncIterator[None]:
    scene.witness.rename(scene.witness.with_name("elsewhere"))
    await scene.clinic.doctor()  # another entry, another head
    await scene.until("clinic_audit_witness_failing", 1)
    yield


@provokes("ClinicLoginsFail")
async def somebody_guesses_codes(scene: Scene) -> AsyncIterator[None]:
    guess = {"challenge_id": str(clock.new_id()), "code": "12345678"}
    for _ in range(50):
        assert await post(scene, "/v1/auth/tokens", {}, guess) == 401
    yield


@provokes("ClinicRequestsLimited")
async def a_patient_asks_without_end(scene: Scene) -> AsyncIterator[None]:
    patient = await scene.clinic.patient()

    async def limited() -> bool:
        return (await scene.clinic.http.get("/v1/me", headers=patient.headers)).status_code == 429

    while not await limited():
        pass
    refused = [await limited() for _ in range(50)]
    assert any(refused)
    yield


@provokes(once=("ClinicNotificationsUndeliverable",))
async def an_address_that_does_not_exist(scene: Scene) -> AsyncIterator[None]:
    rule = scene.smtp.rule("rcpt", "550 5.1.1 no such mailbox")
    await book(scene)
    await scene.until("clinic_notifications_finished_total", 1, state="undeliverable")
    yield
    rule.lift()


@provokes("ClinicChannelClosed")
async def the_mail_server_is_gone(scene: Scene) -> AsyncIterator[None]:
    await scene.smtp.process.stop()
    await book(scene)
    await scene.until("clinic_notifier_channel_closed", 1, channel="mail")
    yield
    await scene.smtp.process.start()


@provokes("ClinicReadsSlow")
async def reads_wait_for_a_lock(scene: Scene) -> AsyncIterator[None]:
    clinic = scene.clinic
    async with clinic.postgres.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE booking.doctors IN ACCESS EXCLUSIVE MODE")
        reads = [asyncio.ensure_future(clinic.http.get("/v1/doctors")) for _ in range(20)]
        await asyncio.wait(reads, timeout=1)  # so long they have waited
    await asyncio.gather(*reads)
    yield


@provokes("ClinicRedisAway")
async def redis_dies(scene: Scene) -> AsyncIterator[None]:
    async with killed(scene.stack.processes["valkey"]):
        await until_zero(scene, "clinic_redis_connected")
        yield


@provokes("ClinicKafkaErrors", "ClinicErrorsFast", "ClinicErrorsSlow", once=("ClinicSecurityEventsLost",))
async def kafka_dies(scene: Scene) -> AsyncIterator[None]:
    clinic = scene.clinic
    async with killed(scene.stack.processes["kafka"]):
        address = {"email": f"{clock.new_id().hex}@example.org"}
        assert await post(scene, "/v1/patients", clinic.staff, address) == 503
        patient = await clinic.patient()
        path = f"/v1/patients/{patient.id}"
        assert (await clinic.http.get(path, headers=patient.headers)).status_code == 403
        await scene.until("clinic_security_events_lost_total", 1, why="unavailable")
        await scene.until("clinic_kafka_client_errors_total", 5)
        yield


@provokes("ClinicPartitionStopped")
async def nothing_can_be_read(scene: Scene) -> AsyncIterator[None]:
    await poison(scene, DEAD_LETTERS_IN_A_ROW)
    await scene.until("clinic_partition_stopped", 1, partition=str(POISONED))
    yield


@provokes("ClinicTrailBroken")
async def somebody_edits_the_trail(scene: Scene) -> AsyncIterator[None]:
    # The last one, as the auditor stops for good.
    async with scene.clinic.postgres.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM audit.heads")
        await connection.execute("UPDATE audit.chains SET frontier = '\\x00'")
    await scene.until("clinic_audit_end_broken", 1)
    yield


async def poison(scene: Scene, count: int) -> None:
    """Send so many records that are no commands."""
    settings = scene.clinic.settings
    producer = await start_producer(settings, "poison")
    sent = [
        await producer.send(topic_name(settings, COMMANDS_TOPIC), b"nonsense", partition=POISONED)
        for _ in range(count)
    ]
    await asyncio.gather(*sent)
    await producer.stop()


async def book(scene: Scene) -> None:
    """A visit of a new patient, which has to be confirmed."""
    clinic = scene.clinic
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    starts_at = (await clinic.slots(doctor_id))[-1]
    body = {"doctor_id": doctor_id, "starts_at": starts_at, "visit_type": "checkup"}
    await clinic.confirmed("POST", "/v1/appointments", patient.headers, body)


async def until_zero(scene: Scene, name: str) -> None:
    """Wait until a service tells 0 of a metric."""

    async def told() -> bool:
        return any(series.startswith(name) and not value for series, value in (await scene.scrape()).items())

    await until_async(told, f"{name} is 0", 60)
