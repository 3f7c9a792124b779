"""The pace of a channel: a rate, a pause while its server is unavailable, and a slow start afterwards."""

import asyncio
from uuid import UUID

from infra import clock
from notifier.metrics import CHANNEL_CLOSED

PAUSE_S_MIN = 0.25
PAUSE_S_MAX = 60.0
# After a pause: the rate of the first second, and by how much each delivered message raises it. From 1 per
# second, it takes about 8 seconds to 10 per second, 16 to 50, 28 to 1,000.
START_PER_S = 1.0
GROWTH_PER_S = 0.25
# Sleeps are inexact: a delay of up to this is made up for.
LATE_S_MAX = 0.05
# If so many different messages in a row are deferred, the server is the problem, not the messages.
DEFERRED_IN_A_ROW_MAX = 5


class Pace:
    """The pace of all deliveries of this process to one server."""

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
        """The current rate, messages per second."""
        return self._rate_per_s

    @property
    def closed_for_s(self) -> float:
        """The remaining pause, seconds; 0 if there is none."""
        return max(0.0, self._opens_at_s - clock.monotonic())

    async def turn(self) -> None:
        """Wait until a message may be sent. Only one caller may wait at a time."""
        while (wait_s := self._next_turn_s - clock.monotonic()) > 0:  # noqa: ASYNC110 (until a time)
            await asyncio.sleep(wait_s)  # a pause may begin during the sleep

    def take(self) -> None:
        """Use the turn that was waited for."""
        now_s = clock.monotonic()
        late = now_s - self._next_turn_s > LATE_S_MAX
        self._next_turn_s = (now_s if late else self._next_turn_s) + 1 / self._rate_per_s

    def delivered(self) -> None:
        """The server accepted a message."""
        self._deferred.clear()
        self._pauses = 0
        self._rate_per_s = min(self._limit_per_s, self._rate_per_s + GROWTH_PER_S)
        if not self.closed_for_s:
            CHANNEL_CLOSED.labels(self._channel).set(0)

    def answered(self) -> None:
        """The server rejected a message permanently, so it is available."""
        self._deferred.clear()

    def deferred(self, id_: UUID) -> None:
        """The server deferred this message."""
        self._deferred.add(id_)
        if len(self._deferred) >= DEFERRED_IN_A_ROW_MAX:
            self._deferred.clear()
            self.close()

    def close(self) -> float:
        """The server is unavailable: pause, with full jitter, longer each time. Returns the pause,
        seconds."""
        if self.closed_for_s:
            return self.closed_for_s  # several deliveries failed at the same time
        longest_s = min(PAUSE_S_MAX, 2.0**self._pauses)
        pause_s = clock.jitter(PAUSE_S_MIN, max(PAUSE_S_MIN, longest_s))
        self._pauses = min(self._pauses + 1, 10)
        self._opens_at_s = clock.monotonic() + pause_s
        self._rate_per_s = min(START_PER_S, self._limit_per_s)
        self._next_turn_s = self._opens_at_s
        CHANNEL_CLOSED.labels(self._channel).set(1)
        return pause_s


def retry_after_s(tries: int, first_s: float, longest_s: float) -> float:
    """The delay after `tries` failures, seconds: exponential backoff with full jitter."""
    return clock.jitter(first_s / 2, max(first_s, min(longest_s, first_s * 2.0 ** min(tries, 30))))
