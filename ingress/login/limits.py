"""How many login codes are mailed, and how many attempts a network has. Counted in Redis.

No count ever closes an account: whoever fails on purpose would lock out its owner.
"""

import contextlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from infra import clock
from infra.errors import TransientError
from infra.redis import REDIS_OUTAGES
from infra.settings import Settings
from ingress.http.metrics import LOGIN_FAILURES
from ingress.http.network import Network
from ingress.http.problems import Code, Problem
from ingress.http.rate_limit_storage import rate_limit_storage

MAILS_PER_HOUR = RateLimitItemPerHour(3)
MAILS_PER_DAY = RateLimitItemPerDay(10)
PASSKEY_CHALLENGES_PER_NETWORK_HOUR = RateLimitItemPerHour(1_000)
"""They cost a little memory for five minutes, and nobody a mail."""
PASSKEYS_PER_PERSON_HOUR = RateLimitItemPerHour(30)
"""Added: the person gets a mail about each."""
CALENDAR_LINKS_PER_PERSON_HOUR = RateLimitItemPerHour(30)
"""Made: the same."""

GiveBack = Callable[[], Awaitable[None]]
"""Takes back the count of a mail that cannot have been sent. Never raises."""

_log = structlog.get_logger(__name__)


class LoginLimits:
    """Counts mails and failures over moving windows."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._redis = redis
        self._storage = rate_limit_storage(settings, redis, "login")
        self._windows = MovingWindowRateLimiter(self._storage)
        self._challenges = RateLimitItemPerHour(settings.login_challenges_per_network_hour)
        self._failures = RateLimitItemPerHour(settings.login_failures_per_network_hour)
        self._all_failures = RateLimitItemPerHour(settings.login_failures_alert_hour)

    async def take_mail(self, network: Network, recipient: bytes) -> GiveBack:
        """Count a mail to a recipient, by a keyed hash of the address, asked for by this network.

        Raises:
            Problem: 429, there were too many.
            TransientError: Redis does not answer.
        """
        address = recipient.hex()
        await self._take(self._challenges, "challenges", network.name)
        # The shorter first: what it refuses is no mail, and does not count for the day.
        await self._take(MAILS_PER_HOUR, "mails", address)
        await self._take(MAILS_PER_DAY, "mails", address)

        async def give_back() -> None:
            for item in (MAILS_PER_HOUR, MAILS_PER_DAY):
                key = self._storage.bridge.prefixed_key(item.key_for("mails", address))
                # The latest of the instants that are the moving window; each counts for one mail.
                with contextlib.suppress(*REDIS_OUTAGES):
                    await self._redis.lpop(key)

        return give_back

    async def take_passkey_challenge(self, network: Network) -> None:
        """Count a challenge for a passkey. Raises as `take_mail`."""
        await self._take(PASSKEY_CHALLENGES_PER_NETWORK_HOUR, "passkeys", network.name)

    async def take_passkey(self, person_id: UUID) -> None:
        """Count a passkey that is about to be added. Raises as `take_mail`."""
        await self._take(PASSKEYS_PER_PERSON_HOUR, "passkeys added", str(person_id))

    async def take_calendar_link(self, person_id: UUID) -> None:
        """Count a calendar link that is about to be made. Raises as `take_mail`."""
        await self._take(CALENDAR_LINKS_PER_PERSON_HOUR, "calendar links made", str(person_id))

    async def check_network(self, network: Network) -> None:
        """Refuse a network that has failed too often.

        Raises:
            Problem: 429.
            TransientError: Redis does not answer.
        """
        try:
            allowed = await self._windows.test(self._failures, "failures", network.name)
            if not allowed:
                await self._refuse(self._failures, "failures", network.name)
        except REDIS_OUTAGES as error:
            raise TransientError("Redis does not answer") from error

    async def count_failure(self, network: Network, reason: str) -> None:
        """Count a failed login; all together beyond the limit are an alert. Never raises."""
        LOGIN_FAILURES.labels(reason).inc()
        try:
            await self._windows.hit(self._failures, "failures", network.name)
            if not await self._windows.hit(self._all_failures, "failures", "all"):
                _log.error(
                    "unusually many logins fail: somebody may be guessing", limit=str(self._all_failures)
                )
        except REDIS_OUTAGES as error:
            _log.warning("a failed login is not counted", error=repr(error))

    async def _take(self, item: RateLimitItem, *names: str) -> None:
        try:
            if not await self._windows.hit(item, *names):
                await self._refuse(item, *names)
        except REDIS_OUTAGES as error:
            raise TransientError("Redis does not answer") from error

    async def _refuse(self, item: RateLimitItem, *names: str) -> None:
        stats = await self._windows.get_window_stats(item, *names)
        retry_after_s = max(1, int(stats.reset_time - clock.now().timestamp()) + 1)
        raise Problem(
            Code.RATE_LIMITED,
            "Too many login attempts; please retry after the time in Retry-After.",
            headers={"Retry-After": str(retry_after_s)},
        )
