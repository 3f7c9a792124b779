"""New events, read from their table once for all watchers.

The table has every event, in order and without a gap per partition, so a sequence per partition is all
that a reader has to remember to go on, at any ingress.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from contracts.topics import EVENTS_TOPIC
from infra.postgres import OUTAGES, Connection
from infra.queries import load_queries

# Without a wake-up (Redis is unavailable) events are this late.
LOOK_INTERVAL_S = 1.0
# After one, events of this time are read together.
GATHER_S = 0.05
AT_ONCE_MAX = 500
WAITING_MAX = 2_000

_SQL = load_queries(Path(__file__).with_name("queries.sql"))
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as its table has it; `data` is JSON, `doctor_id` the key."""

    partition: int
    sequence: int
    type: str
    doctor_id: str
    data: str


class StreamPosition:
    """The last sequence seen in every partition; as text `12.0.7.…`, what a reader gives back to go on."""

    def __init__(self, sequences: list[int]) -> None:
        self.sequences = sequences

    @classmethod
    def parse(cls, text: str) -> "StreamPosition | None":
        """The inverse of `str`; None for anything else."""
        parts = text.split(".")
        if len(parts) != EVENTS_TOPIC.partitions or not all(
            part.isdecimal() and len(part) < 16 for part in parts
        ):
            return None
        return cls([int(part) for part in parts])

    def __str__(self) -> str:
        return ".".join(map(str, self.sequences))

    def is_beyond(self, other: "StreamPosition") -> bool:
        """True if it is further on than the other in some partition."""
        return any(mine > theirs for mine, theirs in zip(self.sequences, other.sequences, strict=True))

    def take(self, event: StoredEvent) -> bool:
        """Move to the event; False if it was seen before."""
        if event.sequence <= self.sequences[event.partition]:
            return False
        self.sequences[event.partition] = event.sequence
        return True


async def read_end(connection: asyncpg.Pool | Connection) -> StreamPosition:
    """The position after the newest event that the connection, or its transaction, sees."""
    position = StreamPosition([0] * EVENTS_TOPIC.partitions)
    for row in await connection.fetch(_SQL["counts"]):
        position.sequences[row["partition"]] = row["event_count"]
    return position


class Watcher:
    """Events that one reader has not taken yet. `lost` once the reader is too slow: it has to begin again."""

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Drop the waiting events; the reader finds them in the table, after its position."""
        self.lost = False
        self._events: asyncio.Queue[StoredEvent] = asyncio.Queue(WAITING_MAX)

    def offer(self, event: StoredEvent) -> None:
        """Must not block."""
        if self._events.full():
            self.lost = True
        else:
            self._events.put_nowait(event)

    async def next(self, timeout_s: float) -> StoredEvent | None:
        """The next event, or None if none comes in time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._events.get()
        except TimeoutError:
            return None


class EventFeed:
    """Reads new events while there are watchers, and hands them to all of them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._watchers: set[Watcher] = set()
        self._poked = asyncio.Event()
        # Everything up to it was handed out; None while there are no watchers.
        self._position: StreamPosition | None = None

    def poke(self) -> None:
        """There may be new events. Does not block."""
        self._poked.set()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Watcher]:
        """A watcher of all events from now on."""
        if self._position is None:
            # Set before the first watcher is added: everything after it is handed out.
            end = await self.end()
            self._position = self._position or end
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def end(self) -> StreamPosition:
        """The position after the newest event."""
        return await read_end(self._pool)

    async def since(self, position: StreamPosition) -> AsyncIterator[StoredEvent]:
        """Everything after the position that is in the table by now, partition after partition."""
        for partition in range(EVENTS_TOPIC.partitions):
            while events := await self._read([partition], [position.sequences[partition]]):
                for event in events:
                    yield event
                if len(events) < AT_ONCE_MAX:
                    break

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL_S):
                    await self._poked.wait()
                await asyncio.sleep(GATHER_S)
            self._poked.clear()
            try:
                if not self._watchers:
                    self._position = None
                if self._position is not None:
                    await self._hand_out(self._position)
            except OUTAGES as error:
                _log.warning("postgres is unavailable: no live events", error=repr(error))

    async def _hand_out(self, position: StreamPosition) -> None:
        while True:
            events = await self._read(list(range(EVENTS_TOPIC.partitions)), position.sequences)
            for event in events:
                position.take(event)
                for watcher in self._watchers:
                    watcher.offer(event)
            if len(events) < AT_ONCE_MAX:
                return

    async def _read(self, partitions: list[int], after: list[int]) -> list[StoredEvent]:
        rows = await self._pool.fetch(_SQL["after"], partitions, after, AT_ONCE_MAX)
        return [StoredEvent(**row) for row in rows]
