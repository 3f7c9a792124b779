"""Refusals of access as security events, rate limited per source so that a flood cannot fill the log."""

import asyncio
from dataclasses import dataclass

from fastapi import Request

from contracts.commands import Actor
from contracts.security import AccessReason, AccessRefused, principal
from ingress.audit.security_log import SecurityLog, event_context
from ingress.http.metrics import SECURITY_EVENTS_LOST
from ingress.http.problems import Code, ForeignProblem, Problem

# Per source: this many at once, then one per interval. For all sources together: the same, larger.
SOURCE_BURST = 20
SOURCE_INTERVAL_S = 3.0
ALL_BURST = 200
ALL_INTERVAL_S = 0.1
SOURCES_MAX = 10_000


@dataclass
class _Bucket:
    tokens: float
    filled_at_s: float
    unrecorded: int = 0

    def take(self, burst: int, interval_s: float, now_s: float) -> bool:
        self.tokens = min(burst, self.tokens + (now_s - self.filled_at_s) / interval_s)
        self.filled_at_s = now_s
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Allowance:
    """How many refusals may be recorded one by one. Remembers a bounded number of sources."""

    def __init__(self) -> None:
        self._all = _Bucket(ALL_BURST, 0.0)
        self._sources: dict[str, _Bucket] = {}

    def take(self, source: str, now_s: float) -> int | None:
        """The unrecorded refusals of this source since its last recorded one; None to skip this one too.

        `now_s` is of a clock that never goes back.
        """
        bucket = self._sources.pop(source, None) or _Bucket(SOURCE_BURST, now_s)
        self._sources[source] = bucket  # the newest last
        if len(self._sources) > SOURCES_MAX:
            del self._sources[next(iter(self._sources))]
        if not bucket.take(SOURCE_BURST, SOURCE_INTERVAL_S, now_s) or not self._all.take(
            ALL_BURST, ALL_INTERVAL_S, now_s
        ):
            bucket.unrecorded += 1
            return None
        unrecorded, bucket.unrecorded = bucket.unrecorded, 0
        return unrecorded


class RefusedAccess:
    """Records requests that were denied access."""

    def __init__(self, log: SecurityLog) -> None:
        self._log = log
        self._allowance = Allowance()

    def record(self, request: Request, problem: Problem, caller: Actor | None) -> None:
        """Offer an event, if the problem is a refusal of access. Must not block, and never fails."""
        reason = _reason(request, problem)
        if reason is None:
            return
        unrecorded = self._allowance.take(_source(request, caller), asyncio.get_running_loop().time())
        if unrecorded is None:
            SECURITY_EVENTS_LOST.labels("limited").inc()
            return
        event = AccessRefused(
            **event_context(request, caller),
            reason=reason,
            method=request.method,
            route=request.scope["route"].path_format,
            appointment_id=problem.appointment_id if isinstance(problem, ForeignProblem) else None,
            unrecorded=unrecorded,
        )
        self._log.offer(event)


def _reason(request: Request, problem: Problem) -> AccessReason | None:
    match problem.code:
        case Code.UNAUTHENTICATED if "authorization" in request.headers:
            return AccessReason.INVALID_TOKEN
        case Code.FORBIDDEN:
            return AccessReason.FORBIDDEN
        case Code.NOT_FOUND if isinstance(problem, ForeignProblem):
            return AccessReason.FOREIGN
    return None


def _source(request: Request, caller: Actor | None) -> str:
    # The address only selects the limit; it is personal data and not recorded.
    return principal(caller) if caller else f"{request.client.host if request.client else None}"
