"""Invalid records on every topic, and their expected treatment."""

import asyncio
import contextlib
import json
import random
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid5

from aiokafka.errors import KafkaError

from contracts.cloudevents import command_headers, command_key
from contracts.commands import Actor, ActorKind, BookAppointment, Command, derived_id
from contracts.dead_letters import DeadLetterReason
from contracts.fields import rfc3339
from contracts.topics import (
    COMMANDS_TOPIC,
    DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    LOGIN_CHALLENGES_TOPIC,
    SECURITY_EVENTS_TOPIC,
)
from infra import clock
from infra.errors import TransientError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from tests.faults.checker import Poison, Record
from tests.faults.faults.fault import Fault
from tests.faults.machine.machine import Machine

# Fewer than the number of dead letters in a row that stops a partition.
AT_ONCE_MAX = 8
HUGE_BYTES = 900_000
RETRY_INTERVAL_S = 0.5
NAMES = UUID("a0a5f1f0-1a57-4b53-8f2a-5c3f0a3f7d11")

# A header that only these records have.
MARK = "x-fault"
GARBAGE = b"garbage"

Raw = dict[str, Any]
# Changes to a valid record, and the reason why it is invalid afterwards.
BAD: tuple[tuple[DeadLetterReason, Raw], ...] = (
    (DeadLetterReason.INVALID_DATA, {"value": b'{"command_id":'}),
    (DeadLetterReason.INVALID_DATA, {"value": b"\x00\xff\xfe"}),
    (DeadLetterReason.INVALID_DATA, {"value": b"[]"}),
    (DeadLetterReason.INVALID_DATA, {"value": None}),
    (DeadLetterReason.INVALID_DATA, {"value": json.dumps({"a": "b" * HUGE_BYTES}).encode()}),
    (DeadLetterReason.NO_ENVELOPE, {"headers": []}),
    (DeadLetterReason.NO_ENVELOPE, {"ce_specversion": b"\xff\xfe"}),
    (DeadLetterReason.UNKNOWN_TYPE, {"ce_type": b"\xff"}),
    (DeadLetterReason.UNKNOWN_TYPE, {"ce_type": b"clinic.booking.Nonsense.v1"}),
    (DeadLetterReason.UNKNOWN_TYPE, {"ce_type": b"clinic.booking.BookAppointment.v2"}),
    (DeadLetterReason.BAD_HEADER, {"ce_id": b"00000000-0000-4000-8000-000000000000"}),
    (DeadLetterReason.WRONG_KEY, {"key": b"00000000-0000-4000-8000-000000000000"}),
    (DeadLetterReason.WRONG_KEY, {"key": None}),
)


class PoisonEverywhere(Fault):
    """Invalid commands of several kinds in some partitions, and garbage on every other topic."""

    name = "poison"
    seconds = 2.0
    disturbs = True

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        records = [_bad_command(machine.settings, chance) for _ in range(chance.randint(3, AT_ONCE_MAX))]
        records += _garbage(machine.settings, chance)
        while records:
            # Kafka may be down. Whether a failed send arrived is unknown; the mark tells later.
            with contextlib.suppress(KafkaError, TransientError):
                producer = await start_producer(machine.settings, "poison")
                try:
                    while records:
                        await producer.send_and_wait(**records.pop())
                finally:
                    await producer.stop()
            await asyncio.sleep(RETRY_INTERVAL_S)


def poison_in(commands: Iterable[Record]) -> list[Poison]:
    """The invalid commands among these records, with the reasons for their dead letters."""
    return [
        Poison(record.partition, record.offset, reason.decode())
        for record in commands
        if (reason := dict(record.headers).get(MARK)) is not None
    ]


def without_garbage(records: Iterable[Record]) -> list[Record]:
    """The records of a topic without the garbage."""
    return [record for record in records if dict(record.headers).get(MARK) != GARBAGE]


def _bad_command(settings: Settings, chance: random.Random) -> Raw:
    reason, change = chance.choice(BAD)
    return {
        "topic": topic_name(settings, COMMANDS_TOPIC),
        "partition": chance.randrange(COMMANDS_TOPIC.partitions),
        **changed(good_command(chance), change, reason.encode()),
    }


def _garbage(settings: Settings, chance: random.Random) -> list[Raw]:
    """An invalid record, without a valid sequence, for each of the other topics."""
    records = []
    for topic in (EVENTS_TOPIC, DEAD_LETTERS_TOPIC, SECURITY_EVENTS_TOPIC, LOGIN_CHALLENGES_TOPIC):
        _, change = chance.choice(BAD)
        record = changed(good_command(chance), change, GARBAGE)
        if chance.random() < 0.5:
            record["headers"].append(("ce_sequence", chance.choice([b"0", b"-1", b"x", b"\xff"])))
        target = {"topic": topic_name(settings, topic), "partition": chance.randrange(topic.partitions)}
        records.append({**target, **record})
    return records


def good_command(chance: random.Random) -> Raw:
    """A valid record: a booking with an unknown doctor."""
    id_ = uuid5(NAMES, str(chance.random()))
    command = BookAppointment.model_validate(
        {
            "command_id": id_,
            "fingerprint": "0" * 32,
            "actor": Actor(kind=ActorKind.STAFF, id=uuid5(id_, "staff")),
            "doctor_id": uuid5(id_, "doctor"),
            "appointment_id": derived_id(id_, "appointment"),
            "patient_id": uuid5(id_, "patient"),
            "visit_type": "checkup",
            "starts_at": rfc3339(clock.now()),
        }
    )
    return record_of(command)


def record_of(command: Command) -> Raw:
    """The command's record as the ingress would send it."""
    headers = list(command_headers(command, clock.now()))
    return {"key": command_key(command), "value": command.model_dump_json().encode(), "headers": headers}


def changed(record: Raw, change: Raw, mark: bytes) -> Raw:
    changed = {**record, **{name: value for name, value in change.items() if not name.startswith("ce_")}}
    headers = [(name, change.get(name, value)) for name, value in changed["headers"]]
    return {**changed, "headers": [*headers, (MARK, mark)]}
