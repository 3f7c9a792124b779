"""A foreign producer of events, which has no key; and what the clinic's own checks find."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord

from contracts.topics import EVENTS_TOPIC
from infra import clock
from infra.kafka.producer import start_producer
from infra.settings import Settings
from ops.audit.verify import Asked, walk
from ops.replay.verify import verify_all
from tests.clinic import records

FAR = 10**6


class Forger:
    """A producer that has no key."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self._producer = producer

    async def last(self, partition: int | None = None) -> ConsumerRecord:
        """The last event of a partition; by default, of one that has some."""
        found = await records(self.settings, EVENTS_TOPIC)
        return [record for record in found if partition in (None, record.partition)][-1]

    async def append(self, like: ConsumerRecord, headers: list[tuple[str, bytes]], value: bytes) -> None:
        """Write a record to the partition of another one."""
        await self._producer.send_and_wait(
            like.topic, value, key=like.key, partition=like.partition, headers=headers
        )

    async def forge(self, like: ConsumerRecord, sequence: int, *, id_: bytes | None = None) -> str:
        """Write an event as the worker would have, with an id of its own; returns the id."""
        forged = id_ or str(clock.new_id()).encode()
        changed = {"ce_id": forged, "ce_sequence": f"{sequence:020}".encode()}
        headers = [(name, changed.get(name, value)) for name, value in like.headers]
        await self.append(like, headers, like.value.replace(b'"version":1', b'"version":7'))
        return forged.decode()

    async def forge_all(self, partition: int) -> list[str]:
        """The next sequence, a copy of each existing one, and one far ahead: their ids."""
        found = await records(self.settings, EVENTS_TOPIC)
        mine = [record for record in found if record.partition == partition and _sequence(record) < FAR]
        last, count = mine[-1], max(_sequence(record) for record in mine)
        known = [await self.forge(last, sequence) for sequence in range(1, count + 1)]
        same_id = dict(last.headers)["ce_id"]
        await self.forge(last, count, id_=same_id)
        ahead = [await self.forge(last, sequence) for sequence in (count + 1, count + 2, FAR)]
        return [*known, *ahead]


async def forge_everywhere(settings: Settings, *, also_where_none_is: bool) -> None:
    """In each partition: the next sequence, copies, one far ahead. Where there is none, perhaps the first."""
    producer = await start_producer(settings, "forger")
    try:
        forger, found = Forger(settings, producer), await records(settings, EVENTS_TOPIC)
        used = {record.partition for record in found}
        for partition in sorted(used):
            await forger.forge_all(partition)
        for partition in set(range(EVENTS_TOPIC.partitions)) - used if also_where_none_is else ():
            like = found[-1]
            headers = [(name, b"1" if name == "ce_sequence" else value) for name, value in like.headers]
            await producer.send_and_wait(
                like.topic, like.value, key=like.key, partition=partition, headers=headers
            )
    finally:
        await producer.stop()


async def verified_trail(settings: Settings) -> list[str]:
    """Findings of `clinic audit verify`."""
    reports = await asyncio.to_thread(walk, settings, Asked())
    return [report.finding for report in reports if report.finding]


async def verified(settings: Settings) -> list[Any]:
    """Findings of `clinic audit verify` and of `clinic replay verify`."""
    reports, _ = await verify_all(settings)
    return [
        *await verified_trail(settings),
        *(finding for report in reports for finding in report.findings),
    ]


def _sequence(record: ConsumerRecord) -> int:
    return int(dict(record.headers)["ce_sequence"])
