"""A daily cap on the commands of each patient: all of them stay on the log for ever, refused ones, too.

Counted in Redis, for all ingresses together. While Redis is away, each counts for itself.
"""

from uuid import UUID

import structlog
from limits import RateLimitItemPerDay
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from infra import clock
from infra.redis import REDIS_OUTAGES
from infra.settings import Settings
from ingress.http.problems import Code, Problem
from ingress.http.rate_limit_storage import rate_limit_storage

_log = structlog.get_logger(__name__)


class DailyCap:
    """Counts commands by patient and day."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._shared = FixedWindowRateLimiter(rate_limit_storage(settings, redis, "commands"))
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._cap = RateLimitItemPerDay(settings.patient_commands_per_day)

    async def take(self, patient_id: UUID) -> None:
        """Count a command that is about to be sent.

        Raises:
            Problem: 429, the patient has sent too many.
        """
        try:
            await self._take(self._shared, patient_id)
        except REDIS_OUTAGES as error:
            _log.warning("commands are counted by this process alone", error=repr(error))
            await self._take(self._own, patient_id)

    async def _take(self, limiter: FixedWindowRateLimiter, patient_id: UUID) -> None:
        if await limiter.hit(self._cap, str(patient_id)):
            return
        reset_at = (await limiter.get_window_stats(self._cap, str(patient_id))).reset_time
        retry_after_s = max(1, round(reset_at - clock.now().timestamp()))
        detail = "Too many requests to book or change appointments today."
        raise Problem(Code.RATE_LIMITED, detail, headers={"Retry-After": str(retry_after_s)})
