"""One owned partition: its position, and what this process remembers of its doctors."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord

from booking_worker.decide.command_record import CommandRecord
from booking_worker.publish.events import EventPublisher
from booking_worker.recovery.topic_identity import AnotherTopicError
from infra.errors import MisconfiguredError, MisplacedError, PausedError
from infra.kafka.partition import is_next
from scheduling.state import Doctor
from storage.positions import Position, open_position

if TYPE_CHECKING:
    from booking_worker.decide.transaction_runner import Decider
    from booking_worker.recovery.history import History

DEAD_LETTERS_IN_A_ROW_MAX = 100


class OwnedPartition:
    """A partition of the commands while this process owns it. Compared by identity."""

    def __init__(
        self,
        topic: str,
        topic_id: UUID,
        number: int,
        *,
        publisher: EventPublisher,
        pool: asyncpg.Pool,
        decider: "Decider",
        history: "History",
    ) -> None:
        self.number = number
        self.next_offset = 0
        self.waiting = False
        self.publisher = publisher
        self._pool = pool
        self._decider = decider
        self._history = history
        self._generation = -1
        self._publishing: asyncio.Task[None] | None = None
        # Good as long as nobody else has decided in this partition; the position tells.
        self.doctors: dict[UUID, Doctor] = {}
        self._topic = topic
        self._topic_id = topic_id
        self._dead_letters_in_a_row = 0

    async def open(self, log_start: int, log_end: int) -> None:
        """Resume at the remembered position, and publish what was committed and not published.

        Raises:
            MisconfiguredError: the topic is not the one remembered, or does not go on at the position.
            PausedError: an operator paused it. What was committed is published nevertheless.
            OUTAGES: Postgres is unavailable.
        """
        await self._history.take_up(self.number)
        generation = self._history.generation
        position = await open_position(self._pool, self._topic, self.number, self._topic_id)
        self._check_topic(position.topic_id)
        self.doctors.clear()
        self.next_offset = position.next_offset
        self.publisher.open(position.published_count, position.event_count)
        if self._publishing is None:
            self._publishing = asyncio.create_task(self.publisher.run())
        if position.paused_at is not None:
            raise PausedError(position.paused_at)
        if not log_start <= self.next_offset <= log_end:
            raise MisconfiguredError(
                f"{self._name}: the next command is at offset {self.next_offset}, "
                f"and the log goes from {log_start} to {log_end}: records are missing."
            )
        await self._history.check_log(self.number)
        self._generation = generation

    @property
    def is_admitted(self) -> bool:
        """Whether what it knows is of the database as it is: it was opened since that may have changed."""
        return self._generation == self._history.generation

    async def check(self) -> None:
        """Compare what was decided with the logs as they are now.

        Raises:
            MisplacedError: it has to be opened again.
            PausedError: an operator paused it.
            MisconfiguredError: the commands' log has another record where the last one was decided.
            KafkaError, OUTAGES: a server is unavailable.
        """
        if (since := await self.paused_at()) is not None:
            raise PausedError(since)
        await self._history.check_log(self.number)
        if not self.is_admitted or not await self._history.has_its_events(self.number):
            raise MisplacedError(self.next_offset)

    async def paused_at(self) -> datetime | None:
        """When an operator paused the partition; None if it may go on."""
        return (await open_position(self._pool, self._topic, self.number, self._topic_id)).paused_at

    async def is_to_skip(self, offset: int) -> bool:
        """True if an operator wants this record to be set aside."""
        position = await open_position(self._pool, self._topic, self.number, self._topic_id)
        return offset in position.skips

    async def process(self, records: list[ConsumerRecord]) -> None:
        """Decide the records. Raises what `Decider.decide` does."""
        await self._decider.decide(self, records)

    async def close(self) -> None:
        """Publish nothing more."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])

    def not_decided(self, items: list[CommandRecord]) -> list[CommandRecord]:
        """Those of the items that are at or beyond the position, the first of which has to be the next one.

        Raises:
            MisplacedError: it is not, or the partition has to be opened again.
        """
        if not self.is_admitted:
            raise MisplacedError(self.next_offset)
        todo = [item for item in items if item.offset >= self.next_offset]
        if todo and not is_next([item.record for item in todo], self.next_offset):
            raise MisplacedError(self.next_offset)
        return todo

    def is_at(self, position: Position) -> bool:
        """Whether nobody else has decided since. If somebody has, resume from there.

        Raises:
            MisconfiguredError: the topic is not the one remembered.
        """
        self._check_topic(position.topic_id)
        if position.next_offset == self.next_offset:
            return True
        self.next_offset = position.next_offset
        self.doctors.clear()
        self.publisher.committed([], position.event_count)
        return False

    def stop_reason(
        self, decided: list[CommandRecord], dead: set[CommandRecord]
    ) -> MisconfiguredError | None:
        """Note what was decided and what was set aside; the reason to stop, if that is too much in a row."""
        for item in decided:
            self._dead_letters_in_a_row = self._dead_letters_in_a_row + 1 if item in dead else 0
        if self._dead_letters_in_a_row < DEAD_LETTERS_IN_A_ROW_MAX:
            return None
        return MisconfiguredError(
            f"{self._name}: {self._dead_letters_in_a_row} dead letters in a row, up to offset "
            f"{decided[-1].offset}: something is wrong with what is sent, or with this."
        )

    @property
    def _name(self) -> str:
        return f"{self._topic}, partition {self.number}"

    def _check_topic(self, remembered: UUID) -> None:
        if remembered != self._topic_id:
            raise AnotherTopicError(self._name)
