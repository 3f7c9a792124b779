"""Back-pressure: how long a new command would wait to be decided, and when that is too long to accept it.

What waits is behind `next_offset` in `booking.partition_progress`; how fast it goes is measured while a
backlog stands. A partition where something waits and nothing moves is as late as it has stood still.
"""

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field

import asyncpg
import structlog

from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.postgres import OUTAGES
from ingress.commands.known_positions import KnownPositions
from ingress.http.metrics import BACKLOG_SECONDS
from ingress.http.problems import Code, Problem

LOOK_INTERVAL_S = 0.5
# The speed is that of the last five seconds with a backlog.
OBSERVATIONS_MAX = 10
OBSERVATIONS_MIN = 4
RETRY_AFTER_S_MAX = 60

_log = structlog.get_logger(__name__)


@dataclass
class _Partition:
    """What is known of one. Times are seconds of the monotonic clock.

    `still_since` is when something began to wait, or when last something was decided. `observed` has commands
    decided and seconds taken, of the time since a backlog stands.
    """

    end: int = 0
    next_offset: int = 0
    looked_at: float = 0.0
    waited: bool = False
    still_since: float = 0.0
    observed: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=OBSERVATIONS_MAX))

    def look(self, next_offset: int, now: float) -> None:
        decided, took = next_offset - self.next_offset, now - self.looked_at
        waits = next_offset < self.end
        if waits and self.waited:
            # Something waited all the time: this is how fast it goes, not how seldom somebody asks.
            self.observed.append((decided, took))
        else:
            self.observed.clear()
        if decided:
            self.still_since = now
        self.end = max(self.end, next_offset)
        self.next_offset, self.looked_at, self.waited = next_offset, now, waits

    def appended(self, offset: int, now: float) -> None:
        if self.end <= self.next_offset:
            self.still_since = now
        self.end = max(self.end, offset + 1)

    def seconds(self, now: float) -> float:
        """How long a command that is sent now would wait, as far as can be told."""
        waiting = self.end - self.next_offset
        if waiting <= 0:
            return 0.0
        decided = sum(count for count, _ in self.observed)
        if not decided or len(self.observed) < OBSERVATIONS_MIN:
            return now - self.still_since
        return waiting * sum(took for _, took in self.observed) / decided


class Backlog:
    """Knows the backlog of each partition, from the positions and from what this process appends."""

    def __init__(self, pool: asyncpg.Pool, known: KnownPositions, seconds_max: float) -> None:
        self._pool = pool
        self._known = known
        self._seconds_max = seconds_max
        self._partitions = [_Partition() for _ in range(COMMANDS_TOPIC.partitions)]

    def check(self, partition: int) -> None:
        """Let a command of this partition pass.

        Raises:
            Problem: 503 `busy`, it would wait too long.
        """
        seconds = self._partitions[partition].seconds(clock.monotonic())
        if seconds > self._seconds_max:
            retry_after_s = min(math.ceil(seconds - self._seconds_max) + 1, RETRY_AFTER_S_MAX)
            detail = "The booking queue is overloaded. Retry later with the same key."
            raise Problem(Code.BUSY, detail, headers={"Retry-After": str(retry_after_s)})

    def next_offset(self, partition: int) -> int:
        """The position as it was last seen: everything before it is decided."""
        return self._partitions[partition].next_offset

    def appended(self, partition: int, offset: int) -> None:
        """A command was acknowledged at this offset."""
        self._partitions[partition].appended(offset, clock.monotonic())

    async def watch(self) -> None:
        """Look at the positions until cancelled."""
        while True:
            try:
                positions = await self._known.watch(self._pool)
            except OUTAGES as error:
                _log.warning("the backlog is not known", error=repr(error))
            else:
                now = clock.monotonic()
                for number, position in positions.items():
                    self._partitions[number].look(position.next_offset, now)
                BACKLOG_SECONDS.set(max(partition.seconds(now) for partition in self._partitions))
            await asyncio.sleep(LOOK_INTERVAL_S)
