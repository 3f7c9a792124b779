"""One owned partition: its position, and what this process remembers of its doctors."""

from uuid import UUID

import asyncpg

from booking_worker import sql
from booking_worker.incoming import Incoming
from booking_worker.publisher import EventPublisher
from booking_worker.same_topic import AnotherTopicError
from booking_worker.store import Position
from infra.errors import MisconfiguredError
from scheduling.state import Doctor

DEAD_LETTERS_IN_A_ROW_MAX = 100


class MisplacedError(Exception):
    """The records at hand are not the next ones: the consumer has to seek to `next_offset`."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


class OwnedPartition:
    """What is known of a partition while this process owns it. Compared by identity."""

    def __init__(self, topic: str, topic_id: UUID, number: int, publisher: EventPublisher) -> None:
        self.number = number
        self.next_offset = 0
        self.publisher = publisher
        # Good as long as nobody else has decided in this partition; the position tells.
        self.doctors: dict[UUID, Doctor] = {}
        self._topic = topic
        self._topic_id = topic_id
        self._dead_letters_in_a_row = 0

    async def open(self, pool: asyncpg.Pool) -> None:
        """Take up the remembered position.

        Raises:
            MisconfiguredError: the topic is not the one remembered.
            OUTAGES: Postgres is away.
        """
        row = await pool.fetchrow(sql.OPEN, self._topic, self.number, self._topic_id)
        assert row is not None, "it was inserted or is there"
        self._check_topic(row["topic_id"])
        self.next_offset = row["next_offset"]
        self.publisher.open(row["published_count"], row["event_count"])

    def check_within(self, log_start: int, log_end: int) -> None:
        """Raises `MisconfiguredError` where the log does not go on at the position."""
        if not log_start <= self.next_offset <= log_end:
            raise MisconfiguredError(
                f"{self._name}: the next command is at offset {self.next_offset}, "
                f"and the log goes from {log_start} to {log_end}: records are missing."
            )

    def not_decided(self, items: list[Incoming]) -> list[Incoming]:
        """Those of the items that are at or behind the position, which have to begin there.

        Raises:
            MisplacedError: they do not.
        """
        todo = [item for item in items if item.offset >= self.next_offset]
        if todo and todo[0].offset != self.next_offset:
            raise MisplacedError(self.next_offset)
        return todo

    def is_at(self, position: Position) -> bool:
        """Whether nobody else has decided meanwhile. If somebody has, take up the position from there.

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

    def why_stop(self, decided: list[Incoming], dead: set[Incoming]) -> MisconfiguredError | None:
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
