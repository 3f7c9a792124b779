"""A backlog: doctors with hours, and bookings with them that can all be confirmed, straight onto the log."""

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Iterator
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from benchmarks.plan import BUSY, bookings
from contracts.cloudevents import command_headers, command_key
from contracts.commands import (
    Actor,
    ActorKind,
    BookAppointment,
    Command,
    RegisterDoctor,
    SetWeeklyHours,
    derived_id,
)
from contracts.doctors import Hours, Policy, VisitType
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.load.practice import VISIT_TYPE, doctor_ids

DOCTORS_MIN = 48
# As many acknowledgements are waited for at once.
AT_ONCE = 10_000
# As many upcoming appointments as a patient may have, and no more.
BOOKINGS_PER_PATIENT = 3
PATIENTS_MIN = 20_000
STAFF = Actor(kind=ActorKind.STAFF, id=UUID(int=1))


async def append_backlog(settings: Settings, count: int) -> dict[int, int]:
    """Append `count` bookings, behind their doctors. Returns each partition's end offset.

    Raises:
        TransientError: no broker answers.
    """
    ends: Counter[int] = Counter()
    producer = await start_producer(settings, "benchmarks")
    try:
        topic = topic_name(settings, COMMANDS_TOPIC)
        commands = _commands(ZoneInfo(settings.time_zone), count)
        while batch := list(itertools.islice(commands, AT_ONCE)):
            acknowledged = [
                await producer.send(
                    topic,
                    command.model_dump_json().encode(),
                    key=command_key(command),
                    headers=command_headers(command, clock.now()),
                )
                for command in batch
            ]
            for record in await asyncio.gather(*acknowledged):
                ends[record.partition] = max(ends[record.partition], record.offset + 1)
    finally:
        await producer.stop()
    return dict(ends)


def _commands(zone: ZoneInfo, count: int) -> Iterator[Command]:
    starts = BUSY.starts(zone)
    doctors = doctor_ids(max(DOCTORS_MIN, math.ceil(count / len(starts))))
    for number, id_ in enumerate(doctors, 1):
        yield from _doctor(id_, number, zone)
    patients = [uuid4() for _ in range(max(PATIENTS_MIN, count // BOOKINGS_PER_PATIENT))]
    for row in itertools.islice(bookings(starts, len(doctors), len(patients)), count):
        command_id, patient_id = uuid4(), patients[row.patient]
        yield BookAppointment(
            command_id=command_id,
            fingerprint=command_id.hex,
            actor=Actor(kind=ActorKind.PATIENT, id=patient_id),
            doctor_id=doctors[row.doctor],
            appointment_id=derived_id(command_id, "appointment"),
            patient_id=patient_id,
            visit_type=VISIT_TYPE,
            starts_at=row.starts_at,
        )


def _doctor(id_: UUID, number: int, zone: ZoneInfo) -> Iterator[Command]:
    command_id = uuid4()
    yield RegisterDoctor(
        command_id=command_id,
        fingerprint=command_id.hex,
        actor=STAFF,
        doctor_id=id_,
        name=f"Benchmark {number}",
        specialty="Benchmark",
        time_zone=zone.key,
        visit_types=tuple(VisitType.model_validate(row) for row in BUSY.visit_types),
        policy=Policy.model_validate(BUSY.policy),
    )
    command_id = uuid4()
    yield SetWeeklyHours(
        command_id=command_id,
        fingerprint=command_id.hex,
        actor=STAFF,
        doctor_id=id_,
        hours=tuple(Hours.model_validate(row) for row in BUSY.hours),
    )
