"""Several owners of one partition, each of which believes it is the only one."""

import asyncio
from typing import cast
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer, ConsumerRecord

from booking_worker.decide.transaction_runner import Decider
from booking_worker.partition import OwnedPartition
from booking_worker.publish.dead_letters import DeadLetters
from booking_worker.publish.events import EventPublisher
from booking_worker.recovery.history import History
from contracts.topics import DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.topic_id import topic_ids
from tests.clinic import Clinic
from tests.delivery.ledger import commands_topic


class Owner:
    """Believes that it owns a partition: decides, and publishes if `publishes`."""

    def __init__(self, owned: OwnedPartition, decider: Decider) -> None:
        self.publisher = owned.publisher
        self.owned = owned
        self.decider = decider

    @property
    def next_offset(self) -> int:
        return self.owned.next_offset

    async def open(self, log_start: int, log_end: int) -> None:
        await self.owned.open(log_start, log_end)

    async def decide(self, log: list[ConsumerRecord]) -> None:
        """Decide the records; raises an error that stops the partition."""
        await self.owned.process(log)

    async def close(self) -> None:
        await self.owned.close()
        await self.decider.close()


class Owners:
    """Several owners of the same partition, each with its own memory."""

    def __init__(self, clinic: Clinic, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        self.clinic = clinic
        self.pool = pool
        self.producer = producer
        self._dead_letters: list[DeadLetters] = []
        self._owners: list[Owner] = []

    async def owner(
        self,
        partition: int,
        topic_id: UUID | None = None,
        *,
        publishes: bool = False,
        decider: Decider | None = None,
    ) -> Owner:
        """Another owner, not open yet; with a decider of its own unless one is given."""
        settings, topic = self.clinic.settings, commands_topic(self.clinic)
        ids = await topic_ids(settings, [topic])
        events = topic_name(settings, EVENTS_TOPIC)
        mac = EventMac.load(settings)
        publisher = EventPublisher(self.producer, events, partition, self.pool, topic, _no_give_up, mac)
        if not publishes:
            publisher.run = _nothing  # type: ignore[method-assign]
        dead_letters = DeadLetters(settings, "owner", topic_name(settings, DEAD_LETTERS_TOPIC), ids[topic])
        self._dead_letters.append(dead_letters)
        decider = decider or Decider(self.pool, topic, dead_letters, lambda decisions: None)
        owned = OwnedPartition(
            topic,
            topic_id or ids[topic],
            partition,
            publisher=publisher,
            pool=self.pool,
            decider=decider,
            history=cast(History, Undisturbed()),
        )
        self._owners.append(Owner(owned, decider))
        return self._owners[-1]

    async def close(self) -> None:
        """Close all of them."""
        for owner in self._owners:
            await owner.close()
        await asyncio.gather(*(dead_letters.close() for dead_letters in self._dead_letters))


async def _nothing() -> None:
    pass


class Undisturbed:
    """A history that is as it should be."""

    generation = 0

    async def take_up(self, partition: int) -> None:
        pass

    async def check_log(self, partition: int) -> None:
        pass

    async def has_its_events(self, partition: int) -> bool:
        return True


def _no_give_up(error: Exception) -> None:
    raise AssertionError("the producer broke") from error
