"""How fast a channel may go: a rate, a pause while its server is away, and a slow start after it."""

import asyncio
import random
import time
from uuid import UUID

from notifier.metrics import CHANNEL_CLOSED

PAUSE_S_MIN = 0.25
PAUSE_S_MAX = 60.0
# After a pause: the first second's messages, and how many more per second each delivered one allows. From one
# a second it takes some 8 seconds to ten, 16 to fifty, 28 to a thousand.
START_PER_S = 1.0
GROWTH_PER_S = 0.25
# A sleep is never exact: what is lost by it, up to this, is made up for.
LATE_S_MAX = 0.05
# So many different messages put off in a row are the server's trouble, not theirs.
DEFERRED_IN_A_ROW_MAX = 5


class Pace:
    """One server's pace, for all who send to it from this process."""

    def __init__(self, channel: str, limit_per_s: float) -> None:
        self._channel = channel
        self._limit_per_s = limit_per_s
        self._rate_per_s = limit_per_s
        self._next_turn_s = 0.0
        self._opens_at_s = 0.0
        self._pauses = 0
        self._deferred: set[UUID] = set()
        CHANNEL_CLOSED.labels(channel).set(0)

    @property
    def rate_per_s(self) -> float:
        """Messages a second at the moment."""
        return self._rate_per_s

    @property
    def closed_for_s(self) -> float:
        """How long nothing may be sent; 0 while it may."""
        return max(0.0, self._opens_at_s - time.monotonic())

    async def turn(self) -> None:
        """Wait until a message may be sent. One may wait at a time."""
        while (wait_s := self._next_turn_s - time.monotonic()) > 0:  # noqa: ASYNC110 (until a time)
            await asyncio.sleep(wait_s)  # a pause may come meanwhile

    def take(self) -> None:
        """Use the turn that was waited for."""
        now_s = time.monotonic()
        late = now_s - self._next_turn_s > LATE_S_MAX
        self._next_turn_s = (now_s if late else self._next_turn_s) + 1 / self._rate_per_s

    def delivered(self) -> None:
        """The server took a message."""
        self._deferred.clear()
        self._pauses = 0
        self._rate_per_s = min(self._limit_per_s, self._rate_per_s + GROWTH_PER_S)
        if not self.closed_for_s:
            CHANNEL_CLOSED.labels(self._channel).set(0)

    def answered(self) -> None:
        """The server refused one message for good: it is there."""
        self._deferred.clear()

    def deferred(self, id_: UUID) -> None:
        """The server put this message off."""
        self._deferred.add(id_)
        if len(self._deferred) >= DEFERRED_IN_A_ROW_MAX:
            self._deferred.clear()
            self.close()

    def close(self) -> float:
        """The server is away, or refuses all: pause, with full jitter, longer each time. Returns seconds."""
        if self.closed_for_s:
            return self.closed_for_s  # several found out at the same time
        longest_s = min(PAUSE_S_MAX, 2.0**self._pauses)
        pause_s = random.uniform(PAUSE_S_MIN, max(PAUSE_S_MIN, longest_s))  # noqa: S311
        self._pauses = min(self._pauses + 1, 10)
        self._opens_at_s = time.monotonic() + pause_s
        self._rate_per_s = min(START_PER_S, self._limit_per_s)
        self._next_turn_s = self._opens_at_s
        CHANNEL_CLOSED.labels(self._channel).set(1)
        return pause_s


def retry_after_s(tries: int, first_s: float, longest_s: float) -> float:
    """When to try a message again after `tries` failures: exponential backoff with full jitter, seconds."""
    return random.uniform(first_s / 2, max(first_s, min(longest_s, first_s * 2.0 ** min(tries, 30))))  # noqa: S311
