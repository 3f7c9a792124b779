"""Events of the book straight into their table and onto their topic, as the worker writes them."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import asyncpg
from aiokafka import AIOKafkaProducer

from contracts.commands import Actor, ActorKind
from contracts.events import AppointmentBooked, Context, Fact, Source, encode_data
from contracts.topics import EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from storage.rows import EventRow

DOCTORS = 48
VISIT = timedelta(minutes=30)
AT_ONCE = 2_000
COLUMNS = ", ".join(EventRow._fields)
INSERT = f"""
INSERT INTO booking.events ({COLUMNS}) SELECT {COLUMNS} FROM unnest($1::booking.event_row[])
ON CONFLICT DO NOTHING
"""


async def append_events(
    settings: Settings,
    count: int,
    first_at: datetime,
    *,
    first: int = 1,
    partitions: int = EVENTS_TOPIC.partitions,
) -> None:
    """Append `count` bookings to each of so many partitions, numbered from `first`, one every second.

    Raises:
        TransientError: no broker answers.
    """
    producer = await start_producer(settings, "events")
    try:
        await asyncio.gather(
            *(
                append_to(settings, producer, partition, first, bookings(partition, count, first_at, first))
                for partition in range(partitions)
            )
        )
    finally:
        await producer.stop()


def bookings(
    partition: int, count: int, first_at: datetime, first: int = 1
) -> Iterator[tuple[datetime, Fact]]:
    """Bookings, a second apart, and when they were decided: always the same ones for the same numbers."""
    doctors = [uuid5(UUID(int=partition), str(number)) for number in range(DOCTORS)]
    for number in range(count):
        at = first_at + timedelta(seconds=number)
        starts_at = at + timedelta(days=7)
        yield (
            at,
            AppointmentBooked(
                appointment_id=uuid5(UUID(int=partition), f"appointment {first + number}"),
                doctor_id=doctors[number % DOCTORS],
                patient_id=uuid5(UUID(int=partition), f"patient {first + number}"),
                visit_type="checkup",
                starts_at=starts_at,
                ends_at=starts_at + VISIT,
                occupied_from=starts_at,
                occupied_until=starts_at + VISIT,
                version=1,
            ),
        )


async def append_to(
    settings: Settings,
    producer: AIOKafkaProducer,
    partition: int,
    first: int,
    facts: Iterable[tuple[datetime, Fact]],
) -> None:
    """Append facts to a partition, numbered from `first`, and to the table, as a worker does."""
    topic, mac = topic_name(settings, EVENTS_TOPIC), EventMac.load(settings)
    numbered = enumerate(facts, first)
    database = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        while batch := list(itertools.islice(numbered, AT_ONCE)):
            events = [_event(partition, sequence, *fact) for sequence, fact in batch]
            await database.execute(INSERT, events)
            sent = [
                await producer.send(
                    topic, partition=partition, **mac.added(event.message(), partition)._asdict()
                )
                for event in events
            ]
            await asyncio.gather(*sent)
    finally:
        await database.close()


def _event(partition: int, sequence: int, at: datetime, fact: Fact) -> EventRow:
    # The same whenever it is published.
    command_id = uuid5(UUID(int=partition), f"command {sequence}")
    patient_id = getattr(fact, "patient_id", None)
    context = Context(
        command_id=command_id,
        command_type="BookAppointment",
        fingerprint=command_id.hex,
        actor=Actor(kind=ActorKind.PATIENT, id=patient_id or UUID(int=1)),
        decided_at=at,
        source=Source(partition=partition, offset=sequence - 1),
    )
    subject = str(getattr(fact, "appointment_id", None) or getattr(fact, "doctor_id", None))
    return EventRow(
        partition=partition,
        sequence=sequence,
        event_id=uuid5(command_id, "event"),
        type=type(fact).__name__,
        key=str(getattr(fact, "doctor_id", None)),
        subject=subject,
        command_id=command_id,
        decided_at=at,
        traceparent=f"00-{command_id.hex}-{command_id.hex[:16]}-01",
        data=encode_data(context.model_dump_json(), fact),
    )
