"""The notifier with a backlog: planning, delivery of mails to the sink, and login codes during that."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from benchmarks.report import Figure, at_least, at_most, percentiles_ms
from benchmarks.services.events import append_to, bookings
from benchmarks.stack.scratch import scratch_database, scratch_topics
from benchmarks.stack.service import service_process
from contracts.challenges import LoginChallenge, Secret, secret_key
from contracts.cloudevents import challenge_headers, challenge_key
from contracts.doctors import Policy, VisitType
from contracts.events import DoctorRegistered, Fact
from contracts.topics import EVENTS_TOPIC, LOGIN_CHALLENGES_TOPIC
from infra import clock
from infra.errors import ClinicError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.keys import Keys
from infra.postgres import open_pool
from infra.redis import connect
from infra.settings import Settings
from ops.load.cpu import CpuMeter
from storage.patients import Patients
from storage.profiles import Profile

NAME = "notifier"
PLANNED_EVENTS = 60_000
MAILS = 6_000
CODES = 60
CODES_PER_S = 10.0
PATIENTS = 500
# Both reminders of each; the events are too old for a confirmation.
PLANNED_PER_EVENT = 2
MAILS_PER_S_MIN = 500
CODE_P95_MS_MAX = 2_000
DONE_TIMEOUT_S = 180.0
POLL_INTERVAL_S = 0.02


async def measure(settings: Settings, data_dir: Path, say: Callable[[str], None]) -> list[Figure]:
    """All three, on a database and topics of their own.

    Raises:
        ClinicError: the notifier did not get done.
    """
    run = f"bench_{clock.new_id().hex[:8]}"
    async with (
        scratch_topics(settings, f"{run}-") as scratch,
        scratch_database(scratch, run) as scratch,
    ):
        scratch = scratch.model_copy(
            update={"smtp_connections": 24, "smtp_rate_per_s": 100_000.0, "sms_url": None}
        )
        patients = await _patients(scratch)
        say(f"appending {PLANNED_EVENTS:,} events …")
        await _append(scratch, PLANNED_EVENTS, clock.now() - timedelta(days=4), patients, first=1)
        database = await asyncpg.connect(scratch.postgres_dsn.get_secret_value())
        try:
            say("planning …")
            planned = await _timed(scratch, data_dir, database, PLANNED_PER_EVENT * PLANNED_EVENTS, PLANNED)
            say(f"appending {MAILS:,} events …")
            await _append(
                scratch, MAILS, clock.now(), patients, first=PLANNED_EVENTS // EVENTS_TOPIC.partitions + 2
            )
            say("delivering …")
            mails = await _timed(scratch, data_dir, database, MAILS, SENT)
            say("login codes …")
            codes = await _codes(scratch, database, patients)
        finally:
            await database.close()
    section = f"Notifications of {PLANNED_EVENTS + MAILS:,} bookings"
    return [
        Figure(section, "planned, of the events of bookings", *planned),
        Figure(section, "mails to the sink", *mails, goals=(at_least(mails[0], "per_s", MAILS_PER_S_MIN),)),
        Figure(
            section,
            f"login codes, {CODES_PER_S:g} a second",
            codes,
            goals=(at_most(codes, "p95_ms", CODE_P95_MS_MAX),),
        ),
    ]


PLANNED = "SELECT count(*) FROM notify.notifications"
SENT = "SELECT count(*) FROM notify.notifications WHERE state = 'sent'"


async def _timed(
    settings: Settings, data_dir: Path, database: asyncpg.Connection, count: int, query: str
) -> tuple[dict[str, float], dict[str, float]]:
    """From the first to the last: starting Python and joining the group is not the work."""
    try:
        async with service_process("notifier", settings) as process, asyncio.timeout(DONE_TIMEOUT_S):
            first = await _reached(database, process, query, 1)
            began_s, meter = time.perf_counter(), CpuMeter(data_dir, {NAME: process.pid})
            await _reached(database, process, query, count)
            seconds = time.perf_counter() - began_s
            return {"per_s": (count - first) / seconds, "seconds": seconds}, meter.percent()
    except TimeoutError:
        raise ClinicError("The notifier did not get done in time.") from None


async def _reached(
    database: asyncpg.Connection, process: asyncio.subprocess.Process, query: str, count: int
) -> int:
    while True:
        reached: int = await database.fetchval(query)
        if reached >= count:
            return reached
        if process.returncode is not None:
            raise ClinicError("The notifier ended.")
        await asyncio.sleep(POLL_INTERVAL_S)


async def _patients(settings: Settings) -> list[UUID]:
    keys = Keys.load(settings)
    async with await open_pool(settings.ingress_dsn, "benchmarks", connections_max=4) as pool:
        patients = Patients(pool, keys)
        profiles = [Profile(f"{uuid4().hex}@example.org", name="Ada Example") for _ in range(PATIENTS)]
        added = await asyncio.gather(*(patients.add(profile) for profile in profiles))
    return [patient_id for patient_id in added if patient_id is not None]


async def _append(
    settings: Settings, count: int, decided_at: datetime, patients: list[UUID], *, first: int
) -> None:
    producer = await start_producer(settings, "benchmarks")
    try:
        await asyncio.gather(
            *(
                append_to(
                    settings, producer, number, first, _facts(number, count, decided_at, patients, first)
                )
                for number in range(EVENTS_TOPIC.partitions)
            )
        )
    finally:
        await producer.stop()


def _facts(
    partition: int, count: int, decided_at: datetime, patients: list[UUID], first: int
) -> Iterator[tuple[datetime, Fact]]:
    """A partition's share of the bookings, by patients of ours, all decided at once, behind one doctor."""
    doctor_id = UUID(int=partition)
    yield decided_at, _doctor(doctor_id)
    booked = bookings(partition, count // EVENTS_TOPIC.partitions, decided_at, first)
    for number, (_, fact) in enumerate(booked):
        patient_id = patients[number % len(patients)]
        yield decided_at, fact.model_copy(update={"patient_id": patient_id, "doctor_id": doctor_id})


def _doctor(doctor_id: UUID) -> DoctorRegistered:
    return DoctorRegistered(
        doctor_id=doctor_id,
        name="Dr. Benchmark",
        specialty="Benchmarks",
        time_zone="Europe/Berlin",
        visit_types=(VisitType(code="checkup", name="Check-up", minutes=30),),
        policy=Policy(),
        active=True,
    )


async def _codes(settings: Settings, database: asyncpg.Connection, patients: list[UUID]) -> dict[str, float]:
    """From the challenge's being sent until its mail was taken."""
    keys, redis = Keys.load(settings), connect(settings)
    producer = await start_producer(settings, "benchmarks")
    asked: dict[UUID, datetime] = {}

    async def ask(patient_id: UUID) -> None:
        now = clock.now()
        challenge = LoginChallenge(
            challenge_id=clock.new_id(), patient_id=patient_id, expires_at=now + timedelta(minutes=10)
        )
        asked[challenge.challenge_id] = now
        secret = Secret(code="12345678").model_dump_json().encode()
        key: Any = secret_key(settings.namespace, challenge.challenge_id)
        await redis.set(key, keys.seal_challenge(challenge.challenge_id, secret), ex=600)
        await producer.send_and_wait(
            topic_name(settings, LOGIN_CHALLENGES_TOPIC),
            challenge.model_dump_json().encode(),
            key=challenge_key(challenge),
            headers=challenge_headers(challenge, now),
        )

    try:
        async with service_process("notifier", settings) as process, asyncio.timeout(DONE_TIMEOUT_S):
            sent = f"{SENT} AND kind = 'login_code'"
            await ask(patients[0])
            await _reached(database, process, sent, 1)
            for number in range(CODES):
                await asyncio.gather(ask(patients[number]), asyncio.sleep(1 / CODES_PER_S))
            await _reached(database, process, sent, CODES + 1)
    finally:
        await producer.stop()
        await redis.aclose()
    rows = await database.fetch(
        "SELECT challenge_id, finished_at FROM notify.notifications WHERE kind = 'login_code' ORDER BY dated"
    )
    took = [(row["finished_at"] - asked[row["challenge_id"]]).total_seconds() for row in rows]
    return percentiles_ms(took[1:])
