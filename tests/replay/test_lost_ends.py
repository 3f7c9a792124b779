"""Logs that lost their ends: what was decided is published again, and nothing is decided in its place."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import OffsetOutOfRangeError

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.kafka import assigned_partition
from infra.kafka.connection import connection, topic_name
from infra.kafka.reader import SharedConsumer, bounds, read_on, start_consumer
from infra.metrics import PARTITION_STOPPED
from tests.clinic import Clinic, records
from tests.delivery.ledger import check, settle
from tests.waiting import until_async


@contextlib.asynccontextmanager
async def admin(clinic: Clinic) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**connection(clinic.settings))
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def emptied(clinic: Clinic) -> None:
    """The events' topic without its events, as after the loss of its whole tail."""
    name = topic_name(clinic.settings, EVENTS_TOPIC)
    async with admin(clinic) as client:
        await client.delete_topics([name])

        async def made() -> bool:
            answer = await client.create_topics([NewTopic(name, EVENTS_TOPIC.partitions, 1)])
            return all(error[1] == 0 for error in answer.topic_errors)

        await until_async(made, "the topic is there again")


@pytest.fixture(autouse=True)
def checked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked from time to time is checked all the time."""
    monkeypatch.setattr(assigned_partition, "CHECK_INTERVAL_S", 0.2)


async def test_events_that_the_topic_lost_are_published_again(
    clinic: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        await clinic.doctor()
    await settle(clinic)
    before = {(event.partition, event.value) for event in await clinic.events()}
    await emptied(clinic)

    async def published() -> bool:
        return before <= {(event.partition, event.value) for event in await clinic.events()}

    await until_async(published, "the events are on the topic again", 30)
    await clinic.doctor()
    await settle(clinic)
    await check(clinic)
    assert "has lost its end" in capsys.readouterr().out


async def test_the_end_that_a_log_lost_is_not_waited_for(clinic: Clinic) -> None:
    async def consumer() -> AIOKafkaConsumer:
        return await start_consumer(clinic.settings, "reader", EVENTS_TOPIC)

    partition = TopicPartition(topic_name(clinic.settings, EVENTS_TOPIC), 0)
    async with SharedConsumer(consumer).use() as reader, asyncio.timeout(15):
        _, end = await bounds(reader, partition)
        with pytest.raises(OffsetOutOfRangeError):
            async for _ in read_on(reader, partition, end, end + 1):
                pass


async def test_another_record_where_a_command_was_decided_stops_the_partition(clinic: Clinic) -> None:
    doctor = await clinic.doctor()
    await settle(clinic)
    commands = await records(clinic.settings, COMMANDS_TOPIC)
    record = next(record for record in commands if record.key == doctor.encode())
    # As if the log had lost its end and taken another record since: the decision names another command.
    await clinic.postgres.execute(
        "UPDATE booking.events SET command_id = gen_random_uuid() WHERE partition = $1", record.partition
    )
    gauge = PARTITION_STOPPED.labels(record.topic, str(record.partition))

    async def stopped() -> bool:
        return bool(gauge._value.get())

    await until_async(stopped, "the partition stops", 30)
