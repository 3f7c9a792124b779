"""Corrupted history, in a separate clinic: bits, dates, partitions, events that no worker wrote."""

import asyncio
import random
import time

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import NewPartitions

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from tests.clinic import records
from tests.faults.faults.database import owner
from tests.faults.faults.log import admin, alter
from tests.faults.faults.lost_history import BOOKED, OUT, BesideTheMachine, published
from tests.faults.faults.poison import good_command
from tests.faults.faults.raw_records import foreign_producer
from tests.faults.faults.segments import broker_stopped, flip, segments
from tests.faults.machine.side import Side
from tests.faults.monitors.logbook import FOREIGN

AHEAD_MS = 2 * 60 * 60 * 1000
PARTITIONS_THEN = 24
FAR = 10**6
EMPTY = """
TRUNCATE booking.events, booking.decisions, booking.appointments, booking.time_off, booking.doctors,
    booking.calendar_versions, booking.partition_progress
"""


class FlipCommands(BesideTheMachine):
    """A bit flips in a command that is not yet decided."""

    name = "flip-commands"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        await side.stop("worker")
        out = [answer for _, answer in [await side.book(wait_s=0) for _ in range(OUT)]]
        async with broker_stopped(side.kafka, looks_through=False):
            flip(segments(side.kafka, side.settings, COMMANDS_TOPIC, side.partitions[0]), last=OUT)
        await side.start("worker")
        await side.decides(1, "the other doctor's partition")
        await side.reports("worker", COMMANDS_TOPIC, side.partitions[0])
        await side.still(known, "confirmed")
        await side.still(out, "pending")


class FlipEvents(BesideTheMachine):
    """A bit flips in an event that is not yet in the trail."""

    name = "flip-events"

    async def bend(self, side: Side) -> None:
        await side.confirmed(1)
        await side.stop("auditor")
        known = await side.confirmed(BOOKED)
        async with broker_stopped(side.kafka, looks_through=False):
            flip(segments(side.kafka, side.settings, EVENTS_TOPIC, side.partitions[0]), last=OUT)
        await side.start("auditor")
        await side.reports("auditor", EVENTS_TOPIC, side.partitions[0])
        await side.still(known, "confirmed")
        await side.decides(1, "the other doctor's partition")


class ForgedEvents(BesideTheMachine):
    """A foreign producer writes the next sequence, copies of existing ones and one far ahead; all run."""

    name = "forged-event"

    async def bend(self, side: Side) -> None:
        known, partition = await side.confirmed(BOOKED), side.partitions[0]
        forged = await forge(side, partition)
        await side.confirmed(BOOKED)
        for kind in ("auditor", "worker"):
            await side.reports(kind, EVENTS_TOPIC, partition, FOREIGN)
        await nobody_believed(side, partition, forged)
        await side.still(known, "confirmed")


class ForgedWhileDown(BesideTheMachine):
    """The same while worker and auditor are down; then the database comes back empty."""

    name = "forged-while-down"

    async def bend(self, side: Side) -> None:
        known, partition = await side.confirmed(BOOKED), side.partitions[0]
        await side.stop("worker", "auditor")
        forged = await forge(side, partition)
        await side.start("worker", "auditor")
        await side.decides(0, "the partition with forged events")
        for kind in ("auditor", "worker"):
            await side.reports(kind, EVENTS_TOPIC, partition, FOREIGN)
        await nobody_believed(side, partition, forged)
        await side.stop("worker")
        forged += await forge(side, partition)
        async with owner(side.settings) as postgres:
            await postgres.execute(EMPTY)
        await side.start("worker")
        await side.decides(0, "the partition that was folded again")
        await side.still(known, "confirmed")
        await nobody_believed(side, partition, forged)


class FarAhead(BesideTheMachine):
    """A command is dated two hours ahead, and the broker refuses that time: only its partition stops."""

    name = "far-ahead"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        far = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2 * AHEAD_MS)}
        await alter(side.settings, COMMANDS_TOPIC, far)
        async with foreign_producer(side.settings) as producer:
            record = good_command(random.Random(side.settings.namespace))
            await producer.send_and_wait(
                topic_name(side.settings, COMMANDS_TOPIC),
                partition=side.partitions[0],
                timestamp_ms=int(time.time() * 1000) + AHEAD_MS,
                **record,
            )
        await alter(side.settings, COMMANDS_TOPIC, {})
        await side.reports("worker", COMMANDS_TOPIC, side.partitions[0])
        await side.still(known, "confirmed")
        await side.decides(1, "the other doctor's partition")
        if side.restarts() > 1:
            side.find("I11", f"services gave up {side.restarts()} times")


class MorePartitions(BesideTheMachine):
    """An operator adds partitions to both topics: commands still go to their old partitions."""

    name = "more-partitions"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        async with admin(side.settings) as client:
            for topic in (COMMANDS_TOPIC, EVENTS_TOPIC):
                name = topic_name(side.settings, topic)
                await client.create_partitions({name: NewPartitions(PARTITIONS_THEN)})
        await side.stop("ingress")
        await side.start("ingress")
        await asyncio.gather(*(side.decides(number, "a doctor's partition") for number in (0, 1)))
        await side.stop("worker")
        await side.start("worker")
        await asyncio.gather(*(side.decides(number, "a doctor's partition") for number in (0, 1)))
        await side.still(known, "confirmed")
        for record in await records(side.settings, COMMANDS_TOPIC):
            if record.partition not in side.partitions:
                side.find("I5", f"a command went to partition {record.partition}")


async def forge(side: Side, partition: int) -> list[str]:
    """Write events as the worker would have, with other ids: these."""
    found = [record for record in await records(side.settings, EVENTS_TOPIC) if record.partition == partition]
    async with owner(side.settings) as postgres:
        query = "SELECT event_count FROM booking.partition_progress WHERE partition = $1"
        count = await postgres.fetchval(query, partition)
    async with foreign_producer(side.settings) as producer:
        sequences = (count + 1, count, count - 1, count + 2, FAR)
        return [await _send(producer, found[-1], sequence) for sequence in sequences]


async def _send(producer: AIOKafkaProducer, like: ConsumerRecord, sequence: int) -> str:
    changed = {"ce_id": str(clock.new_id()).encode(), "ce_sequence": f"{sequence:020}".encode()}
    headers = [(name, changed.get(name, value)) for name, value in like.headers]
    await producer.send_and_wait(
        like.topic, like.value, key=like.key, partition=like.partition, headers=headers
    )
    return changed["ce_id"].decode()


async def nobody_believed(side: Side, partition: int, forged: list[str]) -> None:
    """Checks that none is in the trail or in the book, and that all of the book is on the topic."""
    await published(side, partition, without=forged)
    async with owner(side.settings) as postgres:
        contents = await postgres.fetch("SELECT content FROM audit.entries")
        in_book = await postgres.fetchval(
            "SELECT count(*) FROM booking.events WHERE event_id = ANY($1)", forged
        )
    if any(id_ in row["content"] for row in contents for id_ in forged):
        side.find("AUDIT", "an event that no worker wrote is in the trail")
    if in_book:
        side.find("I5", "an event that no worker wrote is in the book")
