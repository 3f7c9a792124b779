"""Wake up requests that wait for decisions, through Redis: hints, which may be late or lost."""

import asyncio

import structlog
from redis.asyncio import Redis

from contracts.decision import Decision, pack_wake_up
from infra.redis import REDIS_OUTAGES

WAITING_MAX = 1_000
RETRY_INTERVAL_S = 1.0

_log = structlog.get_logger(__name__)


class WakeUps:
    """Publishes in the background; while Redis is unavailable, wake-ups are dropped."""

    def __init__(self, redis: Redis, channel: str) -> None:
        self._redis = redis
        self._channel = channel
        self._waiting: asyncio.Queue[list[Decision]] = asyncio.Queue(WAITING_MAX)

    def send(self, decisions: list[Decision]) -> None:
        """Must not block: dropped when too many wait."""
        if decisions and not self._waiting.full():
            self._waiting.put_nowait(decisions)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            decisions = await self._waiting.get()
            while not self._waiting.empty():
                decisions = decisions + self._waiting.get_nowait()
            try:
                await self._redis.publish(
                    self._channel, pack_wake_up(decision.command_id for decision in decisions)
                )
            except REDIS_OUTAGES as error:
                _log.warning("redis is unavailable: nobody is woken up", error=repr(error))
                await asyncio.sleep(RETRY_INTERVAL_S)
