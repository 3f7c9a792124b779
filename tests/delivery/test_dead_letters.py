"""Commands that cannot be decided are set aside with their reason, and all others are decided."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer

from booking_worker import partition as partition_module
from booking_worker.decide import decision_batch as deciding
from contracts.cloudevents import command_headers, command_key
from contracts.commands import Actor, ActorKind, BookAppointment, Command, derived_id
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.kafka.partitioner import partition_of
from infra.kafka.producer import start_producer
from infra.metrics import PARTITION_STOPPED
from scheduling.decide import decide
from tests.clinic import Clinic, records
from tests.delivery.ledger import commands_topic, settle
from tests.waiting import until_async

DOCTOR = UUID("11111111-1111-4111-8111-111111111111")


def command(**changes: Any) -> BookAppointment:
    """A command that decodes; its outcome (unknown doctor) does not matter."""
    id_ = uuid4()
    values = {
        "command_id": id_,
        "fingerprint": "0" * 32,
        "actor": Actor(kind=ActorKind.STAFF, id=uuid4()),
        "doctor_id": DOCTOR,
        "appointment_id": derived_id(id_, "appointment"),
        "patient_id": uuid4(),
        "visit_type": "checkup",
        "starts_at": datetime(2030, 1, 1, 9, tzinfo=UTC),
    }
    return BookAppointment.model_validate(values | changes)


def doctor_elsewhere() -> UUID:
    """A doctor whose commands are in another partition than those of `DOCTOR`."""
    while partition_of(str(doctor_id := uuid4()).encode()) == partition_of(str(DOCTOR).encode()):
        pass
    return doctor_id


class Poison:
    """Sends records to the commands' topic, all to the partition of `DOCTOR`."""

    def __init__(self, clinic: Clinic, producer: AIOKafkaProducer) -> None:
        self.clinic = clinic
        self.producer = producer
        self.partition = partition_of(str(DOCTOR).encode())

    async def send(self, given: Command, **changes: Any) -> UUID:
        """Send a command's record with key, value or single headers (`header_ce_type=b"…"`) changed."""
        headers = dict(command_headers(given, clock.now()))
        for name in [name for name in changes if name.startswith("header_")]:
            value = changes.pop(name)
            headers.pop(name[7:], None)
            if value is not None:
                headers[name[7:]] = value
        record = {"value": given.model_dump_json().encode(), "key": command_key(given), **changes}
        sent = await self.producer.send_and_wait(
            commands_topic(self.clinic), headers=list(headers.items()), partition=self.partition, **record
        )
        assert sent.partition == self.partition
        return given.command_id

    async def send_elsewhere(self, given: Command) -> UUID:
        """Send a command to the partition of its doctor, who is not `DOCTOR`."""
        self.partition = partition_of(command_key(given))
        return await self.send(given)

    async def send_to_a_wrong_partition(self) -> tuple[int, UUID]:
        """Send a valid command to the partition that another producer's partitioner would choose."""
        given, partition = command(), (self.partition + 1) % COMMANDS_TOPIC.partitions
        await self.producer.send_and_wait(
            commands_topic(self.clinic),
            given.model_dump_json().encode(),
            key=command_key(given),
            headers=command_headers(given, clock.now()),
            partition=partition,
        )
        return partition, given.command_id


@pytest.fixture
async def poison(clinic: Clinic) -> Any:
    producer = await start_producer(clinic.settings, "poison")
    yield Poison(clinic, producer)
    await producer.stop()


async def test_each_kind_is_set_aside_with_its_reason_and_the_partition_continues(poison: Poison) -> None:
    clinic, given = poison.clinic, command()
    before = await poison.send(command())
    kinds: dict[str, list[dict[str, Any]]] = {
        "no_envelope": [{"header_ce_specversion": None}, {"header_ce_specversion": b"\xff\xfe"}],
        "unknown_type": [
            {"header_ce_type": b"clinic.booking.BookAppointment.v2"},
            {"header_ce_type": b"clinic.booking.Nonsense.v1"},
            {"header_ce_type": b"\xff"},
        ],
        "invalid_data": [
            {"value": None},
            {"value": b""},
            {"value": b"\x00\x01"},
            {"value": b'{"command_id":'},
            {"value": b"[]"},
            {"value": json.dumps({"a": "b" * 100_000}).encode()},
        ],
        "wrong_key": [{"key": str(uuid4()).encode()}, {"key": None}],
        "bad_header": [{"header_ce_id": str(uuid4()).encode()}, {"header_ce_id": b"\xff"}],
    }
    expected = []
    for reason, changes in kinds.items():
        for change in changes:
            await poison.send(given if reason == "bad_header" else command(), **change)
            expected.append(reason)
    after = await poison.send(command())
    await settle(clinic)

    letters = await records(clinic.settings, DEAD_LETTERS_TOPIC)
    assert [dict(letter.headers)["dlq_reason"].decode() for letter in letters] == expected
    assert {letter.partition for letter in letters} == {poison.partition}
    origins = [int(dict(letter.headers)["dlq_offset"]) for letter in letters]
    commands = {record.offset: record for record in await records(clinic.settings, COMMANDS_TOPIC)}
    # The broker's time of the original: the broker would refuse a timestamp of a worker whose clock is a day
    # ahead.
    assert [letter.timestamp for letter in letters] == [commands[offset].timestamp for offset in origins]
    assert origins == list(range(origins[0], origins[0] + len(expected)))
    states = {
        row["command_id"]: row["state"]
        for row in await clinic.postgres.fetch("SELECT command_id, state FROM booking.decisions")
    }
    assert states[before] == states[after] == "refused"
    # Every command whose id could be read has an answer too.
    assert list(states.values()).count("failed") == len(expected) - 2
    types = [dict(event.headers)["ce_type"] for event in await clinic.events()]
    assert types.count(b"clinic.booking.CommandFailed.v1") == len(expected) - 2


async def test_a_bug_is_tried_three_times_and_set_aside_alone(
    poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, culprit = poison.clinic, command()
    tries = 0

    def buggy(book: Any, given: Command, now: datetime) -> Any:
        nonlocal tries
        if given.command_id == culprit.command_id:
            tries += 1
            raise ZeroDivisionError("a bug")
        return decide(book, given, now)

    monkeypatch.setattr(deciding, "decide", buggy)
    others = [await poison.send(command()) for _ in range(5)]
    await poison.send(culprit)
    others += [await poison.send(command()) for _ in range(5)]
    await settle(clinic)

    assert tries >= 3
    [letter] = await records(clinic.settings, DEAD_LETTERS_TOPIC)
    headers = dict(letter.headers)
    assert (headers["dlq_reason"], headers["dlq_detail"]) == (b"handler_error", b"ZeroDivisionError")
    assert letter.value == culprit.model_dump_json().encode()
    rows = await clinic.postgres.fetch("SELECT command_id, state FROM booking.decisions")
    states = {row["command_id"]: row["state"] for row in rows}
    assert states == {culprit.command_id: "failed"} | dict.fromkeys(others, "refused")
    assert len(await records(clinic.settings, EVENTS_TOPIC)) == len(states)


async def test_dead_letters_in_a_row_stop_only_their_partition(
    poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_module, "DEAD_LETTERS_IN_A_ROW_MAX", 3)
    for _ in range(3):
        await poison.send(command(), value=b"nonsense")
    await settle(poison.clinic)
    stuck, stopped_partition = await poison.send(command()), poison.partition

    decided = await poison.send_elsewhere(command(doctor_id=doctor_elsewhere()))

    async def is_decided(id_: UUID) -> bool:
        found = await poison.clinic.postgres.fetchval(
            "SELECT true FROM booking.decisions WHERE command_id = $1", id_
        )
        return bool(found)

    await until_async(lambda: is_decided(decided), "the other partition goes on")
    assert not await is_decided(stuck)
    stopped = PARTITION_STOPPED.labels(commands_topic(poison.clinic), str(stopped_partition))
    assert stopped._value.get() == 1, "and it is reported"


async def test_a_valid_command_in_the_wrong_partition_is_set_aside(poison: Poison) -> None:
    clinic = poison.clinic
    partition, command_id = await poison.send_to_a_wrong_partition()
    await settle(clinic)

    [letter] = await records(clinic.settings, DEAD_LETTERS_TOPIC)
    assert letter.partition == partition
    assert dict(letter.headers)["dlq_reason"] == b"wrong_partition"
    query = "SELECT state FROM booking.decisions WHERE command_id = $1"
    state = await clinic.postgres.fetchval(query, command_id)
    assert state == "failed"
