"""The environment of a notifier: a database, topics and patients; tests publish the events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer

from contracts.challenges import LoginChallenge, Secret, secret_key
from contracts.cloudevents import challenge_headers, challenge_key, event_headers
from contracts.commands import Actor, ActorKind
from contracts.doctors import Policy, VisitType
from contracts.envelope import Message
from contracts.events import AppointmentBooked, Context, DoctorRegistered, Fact, Source, encode_data
from contracts.topics import EVENTS_TOPIC, LOGIN_CHALLENGES_TOPIC
from infra import clock
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.keys import Keys
from infra.redis import connect
from infra.settings import Settings
from ops.embedded import Child
from ops.tokens import register_patients
from tests.clinic import database, namespace
from tests.notify.channels.smtp_server import SmtpServer
from tests.notify.facts import DOCTOR, VISIT, booked
from tests.processes import service
from tests.waiting import until_async


class Office:
    """`smtp` is the server; `settings` are a notifier's; events are written straight to the topic."""

    def __init__(
        self,
        settings: Settings,
        postgres: asyncpg.Pool,
        producer: AIOKafkaProducer,
        smtp: SmtpServer,
        path: Path,
    ) -> None:
        self.settings = settings
        self.postgres = postgres
        self.smtp = smtp
        self.path = path
        self._producer = producer
        self._sequences: dict[int, int] = {}
        self._mac = EventMac.load(settings)

    async def patients(self, count: int) -> list[UUID]:
        """New patients; `address` makes their mail addresses."""
        names = [clock.new_id().hex for _ in range(count)]
        return await register_patients(self.settings, [f"{name}@example.org" for name in names])

    def notifier(self, number: int = 1, **settings: Any) -> Child:
        """A notifier as a process of its own, not started yet."""
        own = self.settings.model_copy(update=settings)
        return service("notifier", self.path, own, f"notifier-{number}")

    async def doctor(self, doctor_id: UUID = DOCTOR, partition: int = 0, name: str = "Dr. Test") -> None:
        """Publish a doctor's registration."""
        fact = DoctorRegistered(
            doctor_id=doctor_id,
            name=name,
            specialty="tests",
            time_zone="Europe/Berlin",
            visit_types=(VisitType(code="checkup", name="Check-up", minutes=30),),
            policy=Policy(),
            active=True,
        )
        await self.send(fact, partition=partition)

    async def send(
        self,
        *facts: Fact,
        partition: int = 0,
        decided_at: datetime | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Publish facts as events, in order, as the worker would."""
        decided_at = decided_at or clock.now()
        acknowledged = []
        for fact in facts:
            sequence = self._sequences[partition] = self._sequences.get(partition, 0) + 1
            context = Context(
                command_id=clock.new_id(),
                command_type="Test",
                fingerprint="0" * 32,
                actor=Actor(kind=ActorKind.STAFF, id=UUID(int=1)),
                decided_at=decided_at,
                source=Source(partition=partition, offset=sequence),
            )
            subject = str(getattr(fact, "appointment_id", DOCTOR))
            type_ = type(fact).__name__
            headers = event_headers(
                clock.new_id(), type_, decided_at, subject, partition, sequence, traceparent
            )
            value = encode_data(context.model_dump_json(), fact).encode()
            message = self._mac.added(Message(b"k", value, headers), partition)
            acknowledged.append(
                await self._producer.send(
                    topic_name(self.settings, EVENTS_TOPIC), partition=partition, **message._asdict()
                )
            )
        await asyncio.gather(*acknowledged)

    async def challenge(
        self,
        patient_id: UUID | None,
        code: str = "12345678",
        valid: timedelta = timedelta(minutes=10),
        **fields: str,
    ) -> UUID:
        """Publish a login challenge (`contracts.challenges`). Returns its id."""
        challenge = LoginChallenge(
            challenge_id=clock.new_id(), patient_id=patient_id, expires_at=clock.now() + valid
        )
        secret = Secret.model_validate({"code": code, **fields}).model_dump_json().encode()
        sealed = Keys.load(self.settings).seal_challenge(challenge.challenge_id, secret)
        redis = connect(self.settings)
        await redis.set(secret_key(self.settings.namespace, challenge.challenge_id), sealed, ex=600)
        await redis.aclose()
        await self._producer.send_and_wait(
            topic_name(self.settings, LOGIN_CHALLENGES_TOPIC),
            challenge.model_dump_json().encode(),
            key=challenge_key(challenge),
            headers=challenge_headers(challenge, clock.now()),
        )
        return challenge.challenge_id

    async def rows(self, **where: object) -> list[asyncpg.Record]:
        """The notifications with these values, by kind, version and date."""
        conditions = " AND ".join(f"{name} = ${number}" for number, name in enumerate(where, 1)) or "true"
        rows: list[asyncpg.Record] = await self.postgres.fetch(
            f"SELECT * FROM notify.notifications WHERE {conditions} ORDER BY kind, version, dated, id",
            *where.values(),
        )
        return rows

    async def states(self, **where: object) -> list[tuple[str, int | None, str]]:
        """Kind, hours before the visit, and state of these."""
        return [(row["kind"], row["hours_before"], row["state"]) for row in await self.rows(**where)]

    async def reaches(self, state: str, count: int = 1, timeout_s: float = 60, **where: object) -> None:
        """Waits until so many notifications are in this state."""

        async def reached() -> bool:
            return len(await self.rows(state=state, **where)) >= count

        await until_async(reached, f"{count} {state}", timeout_s)

    async def takes_in(self, timeout_s: float = 60) -> None:
        """Waits until the notifier has processed every event that was published."""

        async def taken_in() -> bool:
            rows = await self.postgres.fetch(
                "SELECT partition, last_sequence FROM notify.progress WHERE topic = $1", topic
            )
            taken = {row["partition"]: row["last_sequence"] for row in rows}
            return all(taken.get(partition, 0) >= last for partition, last in self._sequences.items())

        topic = topic_name(self.settings, EVENTS_TOPIC)
        await until_async(taken_in, "events taken in", timeout_s)

    async def hurry(self) -> None:
        """Make retries due now; claims stay."""
        await self.postgres.execute(
            "UPDATE notify.notifications SET due_at = now()"
            " WHERE state = 'planned' AND claimed_until IS NULL AND dated <= now()"
        )
        await self.postgres.execute("NOTIFY notify_due")


@contextlib.asynccontextmanager
async def office(
    settings: Settings, template: str, path: Path, smtp: SmtpServer | None = None
) -> AsyncIterator[Office]:
    """An office of the test's own, its SMTP server running."""
    smtp = smtp or SmtpServer(path)
    async with contextlib.AsyncExitStack() as exits:
        await smtp.process.start()
        exits.push_async_callback(smtp.process.stop)
        own = await exits.enter_async_context(database(settings, template))
        own = await exits.enter_async_context(namespace(own))
        dsn = own.postgres_dsn.get_secret_value()
        postgres = await exits.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=4))
        producer = await start_producer(own, "office")
        exits.push_async_callback(producer.stop)
        yield Office(smtp.settings(own), postgres, producer, smtp, path)


def bookings(patients: Iterable[UUID], first: datetime | None = None) -> list[AppointmentBooked]:
    """One appointment each, from a month on, so that no reminder is due."""
    first = first or (clock.now() + timedelta(days=30)).replace(microsecond=0)
    return [booked(patient_id, first + number * VISIT) for number, patient_id in enumerate(patients)]
