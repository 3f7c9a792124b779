"""Records of other producers: every codec, transactions, corrupt, too large, deleted."""

import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition
from structlog.testing import capture_logs

from booking_worker.main import running_worker
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC, Topic
from infra.kafka.connection import topic_name
from infra.kafka.partitioner import partition_of
from infra.metrics import PARTITION_STOPPED, RECORDS_SKIPPED
from infra.settings import Settings
from ops.embedded import EmbeddedStack
from tests.clinic import Clinic, records
from tests.delivery.ledger import commands_topic
from tests.delivery.probe import Probe
from tests.faults.faults.log import CODECS, OVERSIZE_BYTES, admin
from tests.faults.faults.poison import good_command
from tests.faults.faults.raw_records import BentBatch, foreign_producer
from tests.faults.faults.segments import flip, segments
from tests.waiting import until_async

CHANCE = random.Random(1)


def command_in(partition: int) -> dict[str, Any]:
    """A record of a command whose doctor belongs in the partition."""
    record = good_command(CHANCE)
    while partition_of(record["key"]) != partition:
        record = good_command(CHANCE)
    return record


class Sender:
    """Sends valid commands, and reads their decisions."""

    def __init__(self, clinic: Clinic, producer: AIOKafkaProducer) -> None:
        self.clinic = clinic
        self.producer = producer
        self.topic = commands_topic(clinic)

    async def send(self, partition: int, producer: AIOKafkaProducer | None = None) -> UUID:
        """A command that decodes and is refused: the id."""
        record = command_in(partition)
        await (producer or self.producer).send_and_wait(self.topic, partition=partition, **record)
        return UUID(dict(record["headers"])["ce_id"].decode())

    async def decided(self) -> dict[UUID, str]:
        """The decisions' states by their command."""
        rows = await self.clinic.postgres.fetch("SELECT command_id, state FROM booking.decisions")
        return {row["command_id"]: row["state"] for row in rows}

    async def decides(self, *ids: UUID) -> None:
        """Waits until all of these are decided; each is refused, none has failed."""

        async def all_there() -> bool:
            return set(ids) <= (await self.decided()).keys()

        await until_async(all_there, "the commands are decided", 30)
        states = await self.decided()
        assert {states[id_] for id_ in ids} == {"refused"}

    async def stops(self, partition: int) -> None:
        """Waits until the partition has stopped."""
        gauge = PARTITION_STOPPED.labels(self.topic, str(partition))

        async def stopped() -> bool:
            return bool(gauge._value.get())

        await until_async(stopped, "the partition stops", 30)


@pytest.fixture
async def sender(undecided: Clinic) -> AsyncIterator[Sender]:
    async with foreign_producer(undecided.settings) as producer:
        yield Sender(undecided, producer)


def stop_reasons(lines: list[Any], partition: int) -> list[str]:
    """The critical log lines about a stopped partition."""
    critical = [line for line in lines if line["log_level"] == "critical"]
    assert {(line["event"], line["partition"]) for line in critical} <= {("partition stopped", partition)}
    return [line["error"] for line in critical]


async def delete_records(settings: Settings, topic: Topic, partition: int, before: int) -> None:
    async with admin(settings) as client:
        name = TopicPartition(topic_name(settings, topic), partition)
        await client.delete_records({name: RecordsToDelete(before)})


async def test_commands_of_every_codec_are_decided(sender: Sender) -> None:
    ids = []
    for partition, codec in enumerate(CODECS):
        async with foreign_producer(sender.clinic.settings, compression_type=codec) as producer:
            ids.append(await sender.send(partition, producer))
    async with running_worker(sender.clinic.settings):
        await sender.decides(*ids)


async def test_only_commands_of_committed_transactions_are_decided(sender: Sender) -> None:
    committed = [await sender.send(0)]
    async with foreign_producer(sender.clinic.settings, transactional_id="foreign") as producer:
        for commits in (False, True, False):
            await producer.begin_transaction()
            id_ = await sender.send(0, producer)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
            committed += [id_] if commits else []
    with capture_logs() as lines:
        # Once after the markers at the end of the log, and once more after a restart there.
        for _ in range(2):
            async with running_worker(sender.clinic.settings):
                await sender.decides(*committed)
                committed.append(await sender.send(0))
                await sender.decides(*committed)
    assert (await sender.decided()).keys() == set(committed)
    assert not [line for line in lines if line["event"] == "seeking"]


async def test_events_of_aborted_transactions_are_skipped(probe: Probe) -> None:
    await probe.send(1, "a")
    plain = probe.producer
    async with foreign_producer(probe.settings, transactional_id="foreign events") as producer:
        for word, commits in (("never", False), ("b", True)):
            await producer.begin_transaction()
            probe.producer = producer
            await probe.send(2, word)
            probe.producer = plain
            await (producer.commit_transaction() if commits else producer.abort_transaction())
    async with probe.running():
        await probe.takes("a", "b")
    await probe.send(3, "c")
    async with probe.running():
        await probe.takes("a", "b", "c")


async def test_a_header_name_that_is_not_utf_8_does_no_harm(sender: Sender) -> None:
    record = command_in(0)
    record["headers"].append(("x-fault-name", b"1"))
    bent = BentBatch(lambda batch: batch.replace(b"x-fault-name", b"x-fault-\xff\xfe\xfd\xfc"), record)
    first = await sender.send(0)
    await (await sender.producer.send_batch(bent, sender.topic, partition=0))
    last = await sender.send(0)
    async with running_worker(sender.clinic.settings):
        await sender.decides(first, UUID(dict(record["headers"])["ce_id"].decode()), last)
    assert await records(sender.clinic.settings, DEAD_LETTERS_TOPIC) == []


async def test_a_corrupt_batch_stops_only_its_partition(sender: Sender, stack: EmbeddedStack) -> None:
    settings = sender.clinic.settings
    before, corrupt, after = [await sender.send(3) for _ in range(3)]
    flip(segments(stack.processes["kafka"], settings, COMMANDS_TOPIC, 3), last=2)
    with capture_logs() as lines:
        async with running_worker(settings):
            await sender.decides(before, await sender.send(4))
            await sender.stops(3)
            await sender.decides(await sender.send(4))
    assert "at offset 1" in stop_reasons(lines, 3)[0]
    assert not {corrupt, after} & (await sender.decided()).keys()
    assert PARTITION_STOPPED.labels(sender.topic, "3")._value.get() == 0, "it is nobody's any more"


async def test_commands_deleted_before_their_decision_stop_their_partition(
    sender: Sender,
) -> None:
    settings = sender.clinic.settings
    async with running_worker(settings):
        await sender.decides(await sender.send(5))
    for _ in range(3):
        await sender.send(5)
    await delete_records(settings, COMMANDS_TOPIC, 5, before=3)
    with capture_logs() as lines:
        async with running_worker(settings):
            await sender.stops(5)
            await sender.decides(await sender.send(6))
    [reason] = stop_reasons(lines, 5)
    assert reason.endswith(
        "the next command is at offset 1, and the log goes from 3 to 4: records are missing."
    )


async def test_messages_lost_on_an_expiring_topic_are_skipped_and_counted(probe: Probe) -> None:
    skipped = RECORDS_SKIPPED.labels(topic_name(probe.settings, EVENTS_TOPIC))
    await probe.send(None, "a")
    async with probe.running(sequence_of=None, expiring=True):
        await probe.takes("a")
    for word in ("lost", "lost", "b"):
        await probe.send(None, word)
    await delete_records(probe.settings, EVENTS_TOPIC, 0, before=3)
    async with probe.running(sequence_of=None, expiring=True):
        await probe.takes("a", "b")
    assert skipped._value.get() == 2


async def test_a_record_too_large_for_a_dead_letter_is_set_aside_truncated(sender: Sender) -> None:
    settings = sender.clinic.settings
    first = await sender.send(0)
    huge = {**good_command(CHANCE), "value": b"x" * OVERSIZE_BYTES}
    huge_headers = {**good_command(CHANCE), "headers": [("h", b"x" * OVERSIZE_BYTES)]}
    async with foreign_producer(settings, compression_type="gzip") as producer:
        for record in (huge, huge_headers):
            await producer.send_and_wait(sender.topic, partition=0, **record)
    async with running_worker(settings):
        await sender.decides(first, await sender.send(0), await sender.send(1))
    whole, headless = await records(settings, DEAD_LETTERS_TOPIC)
    headers = dict(whole.headers)
    assert (headers["dlq_reason"], headers["dlq_offset"]) == (b"invalid_data", b"1")
    assert headers.keys() > dict(huge["headers"]).keys()
    assert int(headers["dlq_truncated"]) > OVERSIZE_BYTES > len(whole.value) > OVERSIZE_BYTES // 4
    assert whole.value == huge["value"][: len(whole.value)]
    assert dict(headless.headers)["dlq_offset"] == b"2"
    assert int(dict(headless.headers)["dlq_truncated"]) > OVERSIZE_BYTES
    assert "h" not in dict(headless.headers)
