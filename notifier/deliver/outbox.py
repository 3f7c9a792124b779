"""The table of notifications for senders: claim, begin, settle (docs/notifications.md), by the database's
clock.

A claim is a lease with a number. The sender with the latest number holds the notification. Reports of earlier
senders are ignored, except "sent", which is always true. No process claims a notification again that it has
not settled: it may know that the notification was accepted, without having been able to write that.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from uuid import UUID

import asyncpg
import structlog

from infra.batcher import Coalesced
from infra.postgres import CONFLICTS, is_outage
from infra.queries import load_queries
from notifier.metrics import FINISHED
from storage.profiles import DEFAULT_CHANNEL

Lane = Literal["codes", "appointments"]
State = Literal["planned", "sent", "dropped", "undeliverable"]
KINDS: dict[Lane, str] = {"codes": "kind = 'login_code'", "appointments": "kind <> 'login_code'"}

QUERIES = Path(__file__).with_name("queries.sql")
SQL = {
    lane: load_queries(QUERIES, kinds=kinds, default_channel=DEFAULT_CHANNEL) for lane, kinds in KINDS.items()
}
BEGIN, SETTLE = SQL["codes"]["begin"], SQL["codes"]["settle"]
WRITE_RETRY_S = 0.5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The result of a claimed notification.

    `planned`: it is retried after `after`. `unsent`: it was begun, and is known not to have arrived.
    `channel` is None if it is unknown.
    """

    id: UUID
    claim: int
    state: State
    reason: str | None = None
    after: timedelta = timedelta()
    tried: bool = False
    unsent: bool = False
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class _Beginning:
    id: UUID
    claim: int
    lease: timedelta
    profile: bytes | None


class Outbox:
    """Reads and writes `notify.notifications` for the senders of a process."""

    def __init__(self, pool: asyncpg.Pool, lease: timedelta) -> None:
        self._pool = pool
        self._lease = lease
        self._held: set[UUID] = set()
        self._begin: Coalesced[_Beginning, bool] = Coalesced(self._begin_all)
        self._settle: Coalesced[Settlement, bool] = Coalesced(self._settle_all)

    async def claim(self, lane: Lane, others: Sequence[str], count: int) -> list[asyncpg.Record]:
        """Claim at most `count` due notifications, except those for the `others` channels, for the duration
        of the lease. Each has to be settled. Raises `infra.postgres.OUTAGES`."""
        held = list(self._held)
        rows: list[asyncpg.Record] = await self._pool.fetch(
            SQL[lane]["claim"], others, count, self._lease, held
        )
        self._held.update(row["id"] for row in rows)
        return rows

    async def next_due_s(self, lane: Lane, others: Sequence[str]) -> float | None:
        """The seconds until the next notification is due, negative if it is overdue; None if there is
        none."""
        due_s: float | None = await self._pool.fetchval(SQL[lane]["next_due"], others)
        return due_s

    async def begin(self, id_: UUID, claim: int, lease: timedelta, profile: bytes | None) -> bool:
        """Record that the notification may arrive from now on. False: another sender has claimed it, or the
        patient's profile has changed."""
        return bool(await self._begin.get(_Beginning(id_, claim, lease, profile)))

    async def settle(self, settlement: Settlement, kind: str) -> None:
        """Write the result of a notification; retries for as long as the database is unavailable."""
        try:
            while (written := await self._settled(settlement)) is None:  # noqa: ASYNC110
                await asyncio.sleep(WRITE_RETRY_S)
        finally:
            self._held.discard(settlement.id)
        if written and settlement.state != "planned":
            FINISHED.labels(kind, settlement.state).inc()
            if settlement.state == "undeliverable":
                _log.error(
                    "undeliverable: see `clinic notify list`",
                    notification=str(settlement.id),
                    kind=kind,
                    reason=settlement.reason,
                )

    async def _settled(self, settlement: Settlement) -> bool | None:
        """False: another sender has claimed it. None: the database is unavailable."""
        try:
            return bool(await self._settle.get(settlement))
        except Exception as error:
            if not (is_outage(error) or isinstance(error, CONFLICTS)):
                raise
            _log.warning("cannot settle, retrying", state=settlement.state, error=repr(error))
            return None

    async def _begin_all(self, beginnings: list[_Beginning]) -> Mapping[_Beginning, bool]:
        columns = (
            [beginning.id for beginning in beginnings],
            [beginning.claim for beginning in beginnings],
            [beginning.lease for beginning in beginnings],
            [beginning.profile for beginning in beginnings],
        )
        found = {row["id"] for row in await self._pool.fetch(BEGIN, *columns)}
        return {beginning: beginning.id in found for beginning in beginnings}

    async def _settle_all(self, settlements: list[Settlement]) -> Mapping[Settlement, bool]:
        columns = (
            [settlement.id for settlement in settlements],
            [settlement.claim for settlement in settlements],
            [settlement.state for settlement in settlements],
            [settlement.reason for settlement in settlements],
            [settlement.after for settlement in settlements],
            [int(settlement.tried) for settlement in settlements],
            [int(settlement.unsent) for settlement in settlements],
            [settlement.channel for settlement in settlements],
        )
        found = {row["id"] for row in await self._pool.fetch(SETTLE, *columns)}
        return {settlement: settlement.id in found for settlement in settlements}
