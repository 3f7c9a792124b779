"""A database that is older than what clients were told is not read.

When Postgres comes back a few transactions older (a promoted standby, a backup), the workers bring it up to
date from the events. Until then an answer from it could take back what a client was told: requests get 503.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from infra import clock
from infra.errors import OlderDatabaseError
from infra.postgres import Connection
from storage.positions import Position, read_positions

REMIND_INTERVAL_S = 30.0

_log = structlog.get_logger(__name__)


class _Mark(NamedTuple):
    topic_id: UUID
    next_offset: int


class KnownPositions:
    """The highest positions that this process has seen, or told of by an answer."""

    def __init__(self, topic: str) -> None:
        """`topic` is the commands'."""
        self._topic = topic
        self._positions: dict[int, _Mark] = {}
        self._started_at = clock.now()
        self._reported_at = -REMIND_INTERVAL_S

    def told(self, partition: int, offset: int, decided_at: datetime) -> None:
        """Note a decision that was read. Earlier ones may be of a topic that is no more."""
        known = self._positions.get(partition)
        if known and decided_at > self._started_at:
            self._positions[partition] = known._replace(next_offset=max(known.next_offset, offset + 1))

    async def admit(self, connection: Connection) -> None:
        """Let a new connection pass if its database is not older than what is known.

        Raises:
            OlderDatabaseError: it is.
        """
        if known := dict(self._positions):
            self._compare(known, await read_positions(connection, self._topic))

    async def watch(self, pool: asyncpg.Pool) -> dict[int, Position]:
        """The positions as they are now, noted; connections to an older database are given up.

        Raises:
            OlderDatabaseError, OUTAGES: they cannot be read.
        """
        known = dict(self._positions)  # as it was before: decisions are read meanwhile
        positions = await read_positions(pool, self._topic)
        try:
            self._compare(known, positions)
        except OlderDatabaseError:
            await pool.expire_connections()
            raise
        for number, position in positions.items():
            mark, earlier = _Mark(position.topic_id, position.next_offset), self._positions.get(number)
            if earlier is None or earlier.topic_id != mark.topic_id or earlier < mark:
                self._positions[number] = mark
        return positions

    def _compare(self, known: dict[int, _Mark], positions: dict[int, Position]) -> None:
        for number, (topic_id, next_offset) in known.items():
            position = positions.get(number)
            if position is None or (position.topic_id == topic_id and position.next_offset < next_offset):
                self._report(number, next_offset, position)
                raise OlderDatabaseError("the database is older than what clients were told")

    def _report(self, number: int, known: int, position: Position | None) -> None:
        if clock.monotonic() - self._reported_at < REMIND_INTERVAL_S:
            return
        self._reported_at = clock.monotonic()
        _log.critical(
            "the database is older than what clients were told: requests wait until it has caught up",
            topic=self._topic,
            partition=number,
            known=known,
            found=position and position.next_offset,
        )
