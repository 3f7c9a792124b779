"""How far a consumer of events is: a row per partition, moved in the transaction of what it writes."""

from uuid import UUID

import asyncpg

from infra.postgres import Connection


class StopError(Exception):
    """The partition cannot go on before an operator has looked."""


class Progress:
    """The positions of one topic.

    Its schema has a table `progress (topic text, partition smallint, topic_id uuid, next_offset bigint,
    last_sequence bigint)` with the first two as its key, which the pool's role may select, insert and update.
    """

    def __init__(self, schema: str, topic: str, topic_id: UUID, *, expiring: bool) -> None:
        """`expiring`: records that the topic no longer keeps are passed over."""
        self._table = f"{schema}.progress"
        self._topic = topic
        self._topic_id = topic_id
        self._expiring = expiring

    async def open(self, pool: asyncpg.Pool, partition: int, start: int, end: int) -> int:
        """The offset to read on from, of a log that goes from `start` to `end`; `start` where it is new.

        Raises:
            StopError: it is not the log that was read so far, or lacks what comes next.
        """
        row = await pool.fetchrow(
            f"""
            INSERT INTO {self._table} AS p (topic, partition, topic_id, next_offset, last_sequence)
            VALUES ($1, $2, $3, $4, 0)
            ON CONFLICT (topic, partition) DO UPDATE SET topic = p.topic
            RETURNING topic_id, next_offset
            """,  # noqa: S608 (the schema is ours)
            *(self._topic, partition, self._topic_id, start),
        )
        assert row is not None, "it was inserted or is there"
        next_offset: int = row["next_offset"]
        if row["topic_id"] != self._topic_id:
            raise StopError("this topic is not the one that was read so far: it has another id")
        if self._expiring and next_offset < start:
            await pool.execute(
                f"UPDATE {self._table} SET next_offset = greatest(next_offset, $3)"  # noqa: S608
                " WHERE topic = $1 AND partition = $2",
                *(self._topic, partition, start),
            )
            return start
        if not start <= next_offset <= end:
            raise StopError(
                f"the next record is at offset {next_offset}, and the log goes from {start} to {end}: "
                "records are missing"
            )
        return next_offset

    async def lock(self, connection: Connection, partition: int) -> tuple[int, int]:
        """The next offset and the last sequence, locked until the transaction ends.

        Raises:
            StopError: there is none of this topic.
        """
        row = await connection.fetchrow(
            f"SELECT * FROM {self._table} WHERE topic = $1 AND partition = $2 FOR UPDATE",  # noqa: S608
            *(self._topic, partition),
        )
        if row is None or row["topic_id"] != self._topic_id:
            raise StopError("its position is gone, or that of another topic")
        return row["next_offset"], row["last_sequence"]

    async def move(
        self, connection: Connection, partition: int, next_offset: int, last_sequence: int
    ) -> None:
        """Go on; of a partition that is locked."""
        await connection.execute(
            f"UPDATE {self._table} SET next_offset = $3, last_sequence = $4"  # noqa: S608
            " WHERE topic = $1 AND partition = $2",
            *(self._topic, partition, next_offset, last_sequence),
        )
