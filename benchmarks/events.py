"""Events of the book straight onto their topic, as the worker publishes them: numbered in each partition."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

from aiokafka import AIOKafkaProducer

from contracts.commands import Actor, ActorKind
from contracts.envelope import event_headers
from contracts.events import AppointmentBooked, Context, Fact, Source, encode_data
from contracts.topics import EVENTS
from infra.kafka import start_producer, topic_name
from infra.settings import Settings

DOCTORS = 48
VISIT = timedelta(minutes=30)
AT_ONCE = 2_000


async def append_events(
    settings: Settings, count: int, first_at: datetime, *, first: int = 1, partitions: int = EVENTS.partitions
) -> None:
    """Append `count` bookings to each of so many partitions, numbered from `first`, one every second.

    Raises:
        TransientError: no broker answers.
    """
    producer = await start_producer(settings, "events")
    try:
        await asyncio.gather(
            *(
                append_to(settings, producer, partition, first, bookings(partition, count, first_at))
                for partition in range(partitions)
            )
        )
    finally:
        await producer.stop()


def bookings(partition: int, count: int, first_at: datetime) -> Iterator[tuple[datetime, Fact]]:
    """Bookings, a second apart, and when they were decided."""
    doctors = [uuid5(UUID(int=partition), str(number)) for number in range(DOCTORS)]
    for number in range(count):
        at = first_at + timedelta(seconds=number)
        starts_at = at + timedelta(days=7)
        yield (
            at,
            AppointmentBooked(
                appointment_id=uuid4(),
                doctor_id=doctors[number % DOCTORS],
                patient_id=uuid4(),
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
    """Append facts to a partition, numbered from `first`."""
    topic = topic_name(settings, EVENTS)
    numbered = enumerate(facts, first)
    while some := list(itertools.islice(numbered, AT_ONCE)):
        sent = [
            await producer.send(topic, partition=partition, **_record(partition, sequence, *fact))
            for sequence, fact in some
        ]
        await asyncio.gather(*sent)


def _record(partition: int, sequence: int, at: datetime, fact: Fact) -> dict[str, object]:
    command_id = uuid4()
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
    traceparent = f"00-{command_id.hex}-{command_id.hex[:16]}-01"
    return {
        "value": encode_data(context.model_dump_json(), fact).encode(),
        "key": str(getattr(fact, "doctor_id", None)).encode(),
        "headers": event_headers(uuid4(), type(fact).__name__, at, subject, sequence, traceparent),
    }
