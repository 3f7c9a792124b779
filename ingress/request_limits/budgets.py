"""Budgets: what a patient, a member of staff or a network may ask for within a minute.

A request costs one unit. Computing free slots or open time costs more, by the time that it takes, so a
budget is one of processor time, too.

Each ingress counts in its memory and decides by that: no request waits for Redis. What heavy users have spent
is added up in Redis every second, for all ingresses together. While Redis is away, each counts for itself.
"""

import asyncio
import math
from collections.abc import Hashable

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from redis.asyncio import Redis

from infra import clock
from infra.redis import REDIS_OUTAGES
from infra.settings import Settings
from infra.tokens import Access, Role
from ingress.http.metrics import REQUESTS_LIMITED
from ingress.http.network import Network
from ingress.http.problems import Code, Problem
from ingress.http.rate_limit_storage import rate_limit_storage

WINDOW_S = 60
SHARE_INTERVAL_S = 1.0
# Of a budget: whoever spends less, as almost everybody does, costs Redis nothing.
SHARED_FROM = 0.1

_log = structlog.get_logger(__name__)


class Budget:
    """The units of one caller in one minute."""

    __slots__ = ("_ends_at_s", "_heavy", "_limit", "_name", "_own", "_shared")

    def __init__(self, limit: RateLimitItem, name: Hashable, ends_at_s: int, heavy: "set[Budget]") -> None:
        """`limit.namespace` names the policy, `ends_at_s` is the end of the minute (POSIX time).

        The budget adds itself to `heavy` when enough is spent for the other ingresses to know.
        """
        self._limit = limit
        self._name = name
        self._ends_at_s = ends_at_s
        self._heavy = heavy
        self._shared = 0
        self._own = 0  # spent here, and not shared yet

    @property
    def spent(self) -> int:
        """Units, those of other ingresses as far as they are known."""
        return self._shared + self._own

    def spend(self, units: int) -> None:
        """Count units that are about to be used. They may go beyond the budget if anything was left of it.

        Raises:
            Problem: 429, nothing was left.
        """
        if self.spent >= self._limit.amount:
            REQUESTS_LIMITED.labels(self._limit.namespace).inc()
            headers = {"Retry-After": str(self._left_s())}
            raise Problem(Code.RATE_LIMITED, "Too many requests within a minute.", headers=headers)
        self._own += units
        if self.spent >= SHARED_FROM * self._limit.amount:
            self._heavy.add(self)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4)."""
        policy, units = self._limit.namespace.encode(), self._limit.amount
        left = max(0, units - self.spent)
        return [
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (policy, units, WINDOW_S)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (policy, left, self._left_s())),
        ]

    async def share(self, storage: RedisStorage) -> None:
        """Add what was spent here to what all ingresses have spent. Raises as Redis does."""
        units = self._own
        key = self._limit.key_for(str(self._name), self._ends_at_s)
        total = await storage.incr(key, 2 * WINDOW_S, units)
        self._own -= units  # not all: others may have spent meanwhile
        self._shared = max(total, self._shared + units)  # also if Redis was wiped

    def _left_s(self) -> int:
        return max(1, math.ceil(self._ends_at_s - clock.now().timestamp()))


class RequestLimits:
    """The budgets of this minute: of everybody who has asked for something."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._storage = rate_limit_storage(settings, redis, "requests")
        staff = RateLimitItemPerMinute(settings.requests_per_staff_minute, namespace="staff")
        patients = RateLimitItemPerMinute(settings.requests_per_patient_minute, namespace="patient")
        self._of_role = {Role.PATIENT: patients, Role.STAFF: staff, Role.ADMIN: staff}
        self._of_network = RateLimitItemPerMinute(settings.requests_per_network_minute, namespace="network")
        self._ends_at_s = 0
        self._budgets: dict[Hashable, Budget] = {}
        self._heavy: set[Budget] = set()
        self._is_shared = True

    def of(self, caller: Access | Network) -> Budget:
        """The budget of somebody who is logged in, or of the network of somebody who is not."""
        now_s = clock.now().timestamp()
        if not self._ends_at_s - WINDOW_S <= now_s < self._ends_at_s:
            self._ends_at_s = (int(now_s) // WINDOW_S + 1) * WINDOW_S
            self._budgets, self._heavy = {}, set()
        name: Hashable
        if isinstance(caller, Network):
            name, limit = caller.name, self._of_network
        else:
            name, limit = caller.actor.id, self._of_role[caller.role]
        budget = self._budgets.get(name)
        if budget is None:
            budget = self._budgets[name] = Budget(limit, name, self._ends_at_s, self._heavy)
        return budget

    async def run(self) -> None:
        """Share what heavy users have spent, until cancelled."""
        while True:
            await asyncio.sleep(SHARE_INTERVAL_S)
            try:
                for budget in tuple(self._heavy):
                    await budget.share(self._storage)
                    self._heavy.discard(budget)
                self._is_shared = True
            except REDIS_OUTAGES as error:
                if self._is_shared:
                    _log.warning("requests are counted by this process alone", error=repr(error))
                self._is_shared = False
