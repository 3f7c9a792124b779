"""The newest events, read from their table once for all who watch.

The table has every event, in order and without a gap per partition, so a place in every partition is all
that one has to remember to go on reading, here or at another ingress.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import structlog

from contracts.topics import EVENTS
from infra.postgres import OUTAGES

# Without a wake-up (Redis is away) events come this late.
LOOK_INTERVAL_S = 1.0
# With one, what comes within this time is read together.
GATHER_S = 0.05
AT_ONCE_MAX = 500
WAITING_MAX = 2_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as its table has it; `data` is JSON, `doctor_id` the key."""

    partition: int
    sequence: int
    type: str
    doctor_id: str
    data: str


class Place:
    """The last sequence seen in every partition; as text `12.0.7.…`, what a reader gives back to go on."""

    def __init__(self, sequences: list[int]) -> None:
        self.sequences = sequences

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """The place that was printed; None for anything else."""
        parts = text.split(".")
        if len(parts) != EVENTS.partitions or not all(part.isdecimal() and len(part) < 16 for part in parts):
            return None
        return cls([int(part) for part in parts])

    def __str__(self) -> str:
        return ".".join(map(str, self.sequences))

    def is_beyond(self, other: "Place") -> bool:
        """Whether it is further on than the other in some partition."""
        return any(mine > theirs for mine, theirs in zip(self.sequences, other.sequences, strict=True))

    def take(self, event: StoredEvent) -> bool:
        """Move to the event; False if it was seen before."""
        if event.sequence <= self.sequences[event.partition]:
            return False
        self.sequences[event.partition] = event.sequence
        return True


class Watcher:
    """Events that one reader has not taken yet. `lost` once it did not keep up: it has to begin again."""

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Drop what waits; the reader finds it in the table, behind its place."""
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
    """Reads new events while anybody watches, and hands them to all who do."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._watchers: set[Watcher] = set()
        self._poked = asyncio.Event()
        # Up to where everything was handed out; None while nobody watches.
        self._place: Place | None = None

    def poke(self) -> None:
        """There may be new events. Must not block."""
        self._poked.set()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Watcher]:
        """A watcher of everything that comes from now on."""
        if self._place is None:
            # Known before the first watcher is: what happens from here on is handed out.
            end = await self.end()
            self._place = self._place or end
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def end(self) -> Place:
        """Behind the newest event."""
        place = Place([0] * EVENTS.partitions)
        for row in await self._pool.fetch("SELECT partition, event_count FROM booking.partition_progress"):
            place.sequences[row["partition"]] = row["event_count"]
        return place

    async def since(self, place: Place) -> AsyncIterator[StoredEvent]:
        """Everything behind the place that is in the table by now, partition after partition."""
        for partition in range(EVENTS.partitions):
            while events := await self._read([partition], [place.sequences[partition]]):
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
                    self._place = None
                if self._place is not None:
                    await self._hand_out(self._place)
            except OUTAGES as error:
                _log.warning("postgres is away: no live events", error=repr(error))

    async def _hand_out(self, place: Place) -> None:
        while True:
            events = await self._read(list(range(EVENTS.partitions)), place.sequences)
            for event in events:
                place.take(event)
                for watcher in self._watchers:
                    watcher.offer(event)
            if len(events) < AT_ONCE_MAX:
                return

    async def _read(self, partitions: list[int], after: list[int]) -> list[StoredEvent]:
        rows = await self._pool.fetch(
            """
            SELECT e.partition, e.sequence, e.type, e.key AS doctor_id, e.data
            FROM unnest($1::smallint[], $2::bigint[]) AS seen (partition, sequence)
            CROSS JOIN LATERAL (
                SELECT * FROM booking.events e
                WHERE e.partition = seen.partition AND e.sequence > seen.sequence
                ORDER BY e.sequence LIMIT $3
            ) e
            LIMIT $3
            """,
            *(partitions, after, AT_ONCE_MAX),
        )
        return [StoredEvent(**row) for row in rows]
