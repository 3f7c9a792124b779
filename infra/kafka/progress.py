"""Positions of a consumer of events: a row per partition, moved in the transaction of what it writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from infra.errors import PausedError, StopError
from infra.metrics import RECORDS_SKIPPED
from infra.postgres import Connection

_log = structlog.get_logger(__name__)


class ReadPosition(NamedTuple):
    """A position: the next offset, and the number of the last message.

    `paused_at`: an operator paused it then. `skips`: offsets that an operator told the consumer to leave out.
    """

    next_offset: int
    last_sequence: int
    paused_at: datetime | None
    skips: Sequence[int]


class Progress:
    """The positions of one topic.

    Its schema has a table `progress (topic text, partition smallint, topic_id uuid, next_offset bigint,
    last_sequence bigint, paused_at timestamptz, skips bigint[])` with the first two as its key, which the
    pool's role may select, insert and update. An operator sets the last two (`clinic pause`, `clinic skip`).
    """

    def __init__(
        self, schema: str, topic: str, topic_id: UUID, *, expiring: bool, sequenced: bool = False
    ) -> None:
        """`expiring`: records that the topic no longer keeps are passed over.

        `sequenced`: events have numbers; event n stands at an offset of n - 1 or more.
        """
        self._table = f"{schema}.progress"
        self._topic = topic
        self._topic_id = topic_id
        self._expiring = expiring
        self._sequenced = sequenced

    async def open(self, pool: asyncpg.Pool, partition: int, start: int, end: int) -> int:
        """The offset to read on from, of a log that goes from `start` to `end`; `start` where it is new.

        Raises:
            StopError: it is not the log that was read so far, or lacks what comes next.
            PausedError: an operator paused it.
        """
        row = await pool.fetchrow(
            f"""
            INSERT INTO {self._table} AS p (topic, partition, topic_id, next_offset, last_sequence)
            VALUES ($1, $2, $3, $4, 0)
            ON CONFLICT (topic, partition) DO UPDATE SET topic = p.topic
            RETURNING topic_id, next_offset, last_sequence, paused_at
            """,  # noqa: S608 (the schema is ours)
            self._topic,
            partition,
            self._topic_id,
            start,
        )
        assert row is not None, "it was inserted or is there"
        next_offset: int = row["next_offset"]
        if row["paused_at"] is not None:
            raise PausedError(row["paused_at"])
        if row["topic_id"] != self._topic_id:
            raise StopError("this topic is not the one that was read so far: it has another id")
        if self._expiring and next_offset < start:
            RECORDS_SKIPPED.labels(self._topic).inc(start - next_offset)
            await pool.execute(
                f"UPDATE {self._table} SET next_offset = greatest(next_offset, $3)"  # noqa: S608
                " WHERE topic = $1 AND partition = $2",
                self._topic,
                partition,
                start,
            )
            return start
        if self._sequenced and next_offset > end:
            _log.critical(
                "the topic has lost its end: events are looked for by their numbers",
                topic=self._topic,
                partition=partition,
                next_offset=next_offset,
                end=end,
            )
            next_offset = min(row["last_sequence"], end)
            await self.look_back(pool, partition, next_offset)
        if not start <= next_offset <= end:
            raise StopError(
                f"the next record is at offset {next_offset}, and the log goes from {start} to {end}: "
                "records are missing"
            )
        return next_offset

    async def read(self, pool: asyncpg.Pool, partition: int) -> ReadPosition | None:
        """The position as it is in the database; None if there is none."""
        query = f"SELECT * FROM {self._table} WHERE topic = $1 AND partition = $2"  # noqa: S608
        row = await pool.fetchrow(query, self._topic, partition)
        return _position(row) if row else None

    async def look_back(self, pool: asyncpg.Pool, partition: int, next_offset: int) -> None:
        """Read again from an earlier offset: what was seen before is recognised by its number."""
        statement = f"UPDATE {self._table} SET next_offset = least(next_offset, $3)"  # noqa: S608
        where = " WHERE topic = $1 AND partition = $2"
        await pool.execute(statement + where, self._topic, partition, next_offset)

    async def lock(self, connection: Connection, partition: int) -> ReadPosition:
        """The position, locked until the transaction ends.

        Raises:
            StopError: there is none of this topic.
            PausedError: an operator paused it.
        """
        row = await connection.fetchrow(
            f"SELECT * FROM {self._table} WHERE topic = $1 AND partition = $2 FOR UPDATE",  # noqa: S608
            self._topic,
            partition,
        )
        if row is None or row["topic_id"] != self._topic_id:
            raise StopError("its position is gone, or that of another topic")
        if row["paused_at"] is not None:
            raise PausedError(row["paused_at"])
        return _position(row)

    async def move(
        self, connection: Connection, partition: int, next_offset: int, last_sequence: int
    ) -> None:
        """Go on; of a partition that is locked."""
        await connection.execute(
            f"UPDATE {self._table} SET next_offset = $3, last_sequence = $4"  # noqa: S608
            " WHERE topic = $1 AND partition = $2",
            self._topic,
            partition,
            next_offset,
            last_sequence,
        )


def _position(row: asyncpg.Record) -> ReadPosition:
    return ReadPosition(row["next_offset"], row["last_sequence"], row["paused_at"], row["skips"])
