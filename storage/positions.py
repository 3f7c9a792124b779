"""The position of each partition of the commands' topic, a row of `booking.partition_progress` each.

The worker locks the row first in every transaction, so that a former owner of the partition cannot write.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from infra.postgres import Connection

# As text, as asyncpg reads no array inside of a record that has no type of its own.
_SKIPS = "array_to_string(skips, ' ') AS skips"
POSITION_COLUMNS = (
    f"partition, topic_id, next_offset, event_count, published_count, authenticated, paused_at, {_SKIPS}"
)


class Position(NamedTuple):
    """A partition's position. The next command to decide is at `next_offset`.

    Its decisions have made `event_count` events, of which the first `published_count` are published.
    `authenticated`: events that follow need a MAC (`storage.authentic_events`).
    `paused_at`: an operator paused it then; nothing is decided until it is None. `skips`: offsets that an
    operator told the worker to set aside without deciding.
    """

    partition: int
    topic_id: UUID
    next_offset: int = 0
    event_count: int = 0
    published_count: int = 0
    authenticated: bool = False
    paused_at: datetime | None = None
    skips: Sequence[int] = ()

    @classmethod
    def of(cls, row: asyncpg.Record) -> "Position":
        """The position of a row of `POSITION_COLUMNS`."""
        return cls(*row)._replace(skips=[int(offset) for offset in row[-1].split()])


async def open_position(pool: asyncpg.Pool, topic: str, partition: int, topic_id: UUID) -> Position:
    """The position of a partition, inserted if it has none yet. The caller compares `topic_id`."""
    row = await pool.fetchrow(
        f"""
        INSERT INTO booking.partition_progress AS p (topic, partition, topic_id) VALUES ($1, $2, $3)
        ON CONFLICT (topic, partition) DO UPDATE SET topic = p.topic
        RETURNING {POSITION_COLUMNS}
        """,  # noqa: S608 - our own columns
        topic,
        partition,
        topic_id,
    )
    assert row is not None, "it was inserted or exists"
    return Position.of(row)


async def read_positions(pool: asyncpg.Pool | Connection, topic: str) -> dict[int, Position]:
    """All positions, by partition."""
    rows = await pool.fetch(
        f"SELECT {POSITION_COLUMNS} FROM booking.partition_progress WHERE topic = $1 ORDER BY partition",  # noqa: S608
        topic,
    )
    return {row["partition"]: Position.of(row) for row in rows}


async def lock_positions(connection: Connection, topic: str, partitions: list[int]) -> dict[int, Position]:
    """The positions of these partitions, locked in their order until the transaction ends."""
    rows = await connection.fetch(
        f"""
        SELECT {POSITION_COLUMNS} FROM booking.partition_progress
        WHERE topic = $1 AND partition = ANY($2) ORDER BY topic, partition FOR UPDATE
        """,  # noqa: S608
        topic,
        partitions,
    )
    return {row["partition"]: Position.of(row) for row in rows}
