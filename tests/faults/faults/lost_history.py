"""Lost history, in a separate clinic: the services guess nothing and report it.

Each fault damages the history of one partition. What was confirmed stays confirmed, what cannot be known is
never `failed`, the partition reports that it has stopped, and all others continue.
"""

import asyncio
import random
import time
from abc import abstractmethod
from collections.abc import Sequence

from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.topic_id import topic_ids
from ops.topics import ensure_topics
from tests.clinic import records
from tests.faults.faults.database import owner
from tests.faults.faults.fault import Fault
from tests.faults.faults.log import admin
from tests.faults.faults.segments import broker_stopped, cut, segments
from tests.faults.machine.machine import Machine
from tests.faults.machine.side import Side, side_clinic
from tests.waiting import until_async

BOOKED, OUT = 4, 2
MADE_AGAIN_S_MAX = 30.0
REPUBLISHED_S_MAX = 30.0
POLL_S = 0.5


class BesideTheMachine(Fault):
    """Runs in a clinic of its own; the machine's partitions continue."""

    seconds = 45.0

    async def apply(self, machine: Machine, chance: random.Random) -> None:
        async with side_clinic(machine, self.name) as side:
            await self.bend(side)
        await machine.recoveries.measure(self.name, time.monotonic())

    @abstractmethod
    async def bend(self, side: Side) -> None:
        """Damage the history of the first doctor's partition, and check the consequences."""


class TopicMadeAgain(BesideTheMachine):
    """The commands' topic is deleted and created again while clients hold receipts."""

    name = "topic-made-again"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        await side.stop("worker")
        out = [answer for _, answer in [await side.book(wait_s=0) for _ in range(OUT)]]
        name = topic_name(side.settings, COMMANDS_TOPIC)
        before = await topic_ids(side.settings, [name])
        async with admin(side.settings) as client:
            await client.delete_topics([name])

        async def is_there_again() -> bool:
            await ensure_topics(side.settings)
            return await topic_ids(side.settings, [name]) != before

        await until_async(is_there_again, "the topic is another one", MADE_AGAIN_S_MAX)
        await side.start("worker")
        await side.reports("worker", COMMANDS_TOPIC, side.partitions[0])
        await side.still(known, "confirmed")
        await side.still(out, "pending")
        await side.takes_nothing()


class CutCommands(BesideTheMachine):
    """The commands' log loses its last records, which were decided, while everything runs."""

    name = "cut-commands"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        async with broker_stopped(side.kafka):
            cut(segments(side.kafka, side.settings, COMMANDS_TOPIC, side.partitions[0]), OUT)
        await side.reports("worker", COMMANDS_TOPIC, side.partitions[0])
        await side.still(known, "confirmed")
        await side.takes_nothing()
        await side.decides(1, "the other doctor's partition")


class CutCommandsUndecided(BesideTheMachine):
    """It loses records that were acknowledged and not yet decided; others take their offsets."""

    name = "cut-commands-undecided"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        await side.stop("worker")
        out = [answer for _, answer in [await side.book(wait_s=0) for _ in range(OUT)]]
        async with broker_stopped(side.kafka):
            cut(segments(side.kafka, side.settings, COMMANDS_TOPIC, side.partitions[0]), OUT)
        await side.start("worker")
        await side.decides(1, "the other doctor's partition")
        # New records get the offsets of the lost ones.
        await side.decides(0, "the partition that lost nothing that was decided")
        await side.still(known, "confirmed")
        await side.still(out, "pending")


class CutEvents(BesideTheMachine):
    """The events' log loses its last records: they are published again from the table, byte for byte."""

    name = "cut-events"

    async def bend(self, side: Side) -> None:
        known, partition = await side.confirmed(BOOKED), side.partitions[0]
        await published(side, partition)
        async with broker_stopped(side.kafka):
            cut(segments(side.kafka, side.settings, EVENTS_TOPIC, partition), OUT)
        await side.decides(0, "the partition that lost events")
        await side.still(known, "confirmed")
        await published(side, partition)


class DeleteUndecided(BesideTheMachine):
    """The start of the log is moved past commands that are not yet decided."""

    name = "delete-undecided"

    async def bend(self, side: Side) -> None:
        known = await side.confirmed(BOOKED)
        await side.stop("worker")
        out = [answer for _, answer in [await side.book(wait_s=0) for _ in range(OUT)]]
        partition = TopicPartition(topic_name(side.settings, COMMANDS_TOPIC), side.partitions[0])
        async with admin(side.settings) as client:
            await client.delete_records({partition: RecordsToDelete(-1)})
        await side.start("worker")
        await side.reports("worker", COMMANDS_TOPIC, side.partitions[0])
        await side.still(known, "confirmed")
        await side.still(out, "pending")
        await side.decides(1, "the other doctor's partition")


async def published(side: Side, partition: int, without: Sequence[str] = ()) -> None:
    """Whether every event of the table is on the topic, byte for byte. `without`: ids of foreign events."""
    deadline, differs = time.monotonic() + REPUBLISHED_S_MAX, "nothing was compared"
    while differs and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        async with owner(side.settings) as postgres:
            rows = await postgres.fetch(
                "SELECT sequence, data FROM booking.events WHERE partition = $1 ORDER BY sequence", partition
            )
        on_topic: dict[int, bytes | None] = {}
        for record in await records(side.settings, EVENTS_TOPIC):
            if record.partition == partition and dict(record.headers)["ce_id"].decode() not in without:
                on_topic.setdefault(int(dict(record.headers)["ce_sequence"]), record.value)
        in_table = {row["sequence"]: row["data"].encode() for row in rows}
        missing = sorted(set(in_table) ^ set(on_topic))
        other = [
            number for number in in_table.keys() & on_topic.keys() if in_table[number] != on_topic[number]
        ]
        differs = f"missing {missing[:5]}, not the same {other[:5]}" if missing or other else ""
    if differs:
        side.find("I5", f"table and topic differ in partition {partition}: {differs}")
