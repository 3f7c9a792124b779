"""Foreign producers and operators change the topics while everything runs."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition

from contracts.dead_letters import DeadLetterReason
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC, Topic
from infra.kafka.connection import connection, topic_name
from infra.settings import Settings
from ops.topics import _wanted_configs
from tests.faults.faults.database import owner
from tests.faults.faults.fault import Fault
from tests.faults.faults.poison import changed, good_command
from tests.faults.faults.raw_records import BentBatch, foreign_producer
from tests.faults.machine.machine import Machine
from tests.faults.results.topics import read_topics
from tests.faults.workload.scene import partition_of

CODECS = ("gzip", "snappy", "lz4", "zstd")
ALTERED_S = (3.0, 6.0)
# Settings for some seconds. With the last one, no batch of events fits.
ALTERATIONS: tuple[tuple[Topic, Mapping[str, str]], ...] = (
    (EVENTS_TOPIC, {"compression.type": "gzip"}),
    (COMMANDS_TOPIC, {"retention.ms": "3600000"}),
    (EVENTS_TOPIC, {"max.message.bytes": "1500"}),
    (COMMANDS_TOPIC, {"max.message.bytes": "1500"}),
)
# Larger than the topic of dead letters allows; a foreign producer compresses it to a few bytes.
OVERSIZE_BYTES = 6 * 1024 * 1024
NEAR_MAXIMUM_BYTES = 1024 * 1024 - 2_000


class AlterSettings(Fault):
    """A topic's settings are changed for some seconds: retention, the largest record."""

    name = "alter-settings"
    seconds = 9.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        topic, change = chance.choice(ALTERATIONS)
        async with altered(machine.settings, topic, change):
            await asyncio.sleep(chance.uniform(*ALTERED_S))
        await machine.recoveries.measure(f"{self.name} {change}", time.monotonic())


class ForeignCodecs(Fault):
    """Valid commands in batches of every codec of the protocol: the broker compresses them again."""

    name = "foreign-codecs"
    seconds = 6.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        for codec in chance.sample(CODECS, len(CODECS)):
            async with (
                altered(machine.settings, COMMANDS_TOPIC, {"compression.type": codec}),
                foreign_producer(machine.settings) as producer,
            ):
                await producer.send_and_wait(
                    topic_name(machine.settings, COMMANDS_TOPIC), **good_command(chance)
                )
        await machine.recoveries.measure(self.name, time.monotonic())


class ForeignTransactions(Fault):
    """Commands in transactions that commit and that abort: the latter have no effect."""

    name = "foreign-transactions"
    seconds = 5.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        topic = topic_name(machine.settings, COMMANDS_TOPIC)
        id_ = f"foreign-{chance.getrandbits(32)}"
        async with foreign_producer(machine.settings, transactional_id=id_) as producer:
            for aborted in (True, False):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, **good_command(chance))
                await (producer.abort_transaction() if aborted else producer.commit_transaction())
        await machine.recoveries.measure(self.name, time.monotonic())


class HeaderThatIsNoText(Fault):
    """A header whose name is not UTF-8: nobody needs that header, and the command is decided."""

    name = "header-no-text"
    seconds = 3.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        record = good_command(chance)
        record["headers"] = [*record["headers"], ("x-fault-name", b"1")]
        key, value, headers = record["key"], record["value"], record["headers"]
        bent = BentBatch(
            lambda batch: batch.replace(b"x-fault-name", b"x-fault-\xff\xfe\xfd\xfc"),
            {"key": key, "value": value, "headers": headers},
        )
        topic = topic_name(machine.settings, COMMANDS_TOPIC)
        async with foreign_producer(machine.settings) as producer:
            await (await producer.send_batch(bent, topic, partition=partition_of(key)))
        await machine.recoveries.measure(self.name, time.monotonic())


class NearTheMaximum(Fault):
    """A record as large as the topic allows; with its dead letter's headers it still has to fit."""

    name = "near-maximum"
    seconds = 3.0
    bytes_ = NEAR_MAXIMUM_BYTES
    codec: str | None = None

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        value = json.dumps({"a": "b" * (self.bytes_ - 1_000)}).encode()
        record = changed(good_command(chance), {"value": value}, DeadLetterReason.INVALID_DATA.encode())
        async with foreign_producer(machine.settings, compression_type=self.codec) as producer:
            partition = chance.randrange(COMMANDS_TOPIC.partitions)
            topic = topic_name(machine.settings, COMMANDS_TOPIC)
            await producer.send_and_wait(topic, partition=partition, **record)
        await machine.recoveries.measure(self.name, time.monotonic())


class Oversize(NearTheMaximum):
    """A record that is small as sent, and larger than the topic of dead letters allows when decompressed."""

    name = "oversize"
    bytes_ = OVERSIZE_BYTES
    codec = "gzip"


class WrongPartition(Fault):
    """Valid commands in the wrong partition: set aside, and never decided."""

    name = "wrong-partition"
    seconds = 3.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        topic = topic_name(machine.settings, COMMANDS_TOPIC)
        async with foreign_producer(machine.settings) as producer:
            for _ in range(3):
                record = changed(good_command(chance), {}, b"wrong_partition")
                own = partition_of(record["key"])
                partition = (own + chance.randrange(1, COMMANDS_TOPIC.partitions)) % COMMANDS_TOPIC.partitions
                await producer.send_and_wait(topic, partition=partition, **record)
        await machine.recoveries.measure(self.name, time.monotonic())


class DeleteRecords(Fault):
    """The start of the log moves up to the first undecided record: nothing needs the records before it."""

    name = "delete-records"
    seconds = 4.0
    default = False

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        topic = topic_name(machine.settings, COMMANDS_TOPIC)
        async with owner(machine.settings) as postgres:
            rows = await postgres.fetch(
                "SELECT partition, next_offset FROM booking.partition_progress WHERE topic = $1", topic
            )
        # The checker still looks at the records that are gone from the topic.
        machine.archive.keep(await read_topics(machine.settings))
        machine.unfit.add(("replay", "verify"))
        chosen = chance.sample(rows, min(3, len(rows)))
        async with admin(machine.settings) as client:
            await client.delete_records(
                {
                    TopicPartition(topic, row["partition"]): RecordsToDelete(row["next_offset"] // 2)
                    for row in chosen
                }
            )
        await machine.recoveries.measure(self.name, time.monotonic())


@contextlib.asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An operator's client."""
    client = AIOKafkaAdminClient(**connection(settings))
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def altered(settings: Settings, topic: Topic, change: Mapping[str, str]) -> AsyncIterator[None]:
    """A topic with other settings inside the block."""
    await alter(settings, topic, change)
    try:
        yield
    finally:
        await alter(settings, topic, {})


async def alter(settings: Settings, topic: Topic, change: Mapping[str, str]) -> None:
    """Give the topic its original settings, and these."""
    wanted: dict[str, Any] = {**_wanted_configs(topic, settings.kafka_replication_factor), **change}
    resource = ConfigResource(ConfigResourceType.TOPIC, topic_name(settings, topic), wanted)
    async with admin(settings) as client:
        await client.alter_configs([resource])
