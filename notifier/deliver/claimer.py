"""Claims due notifications in batches and puts them into the delivery queue of their channel."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg
import structlog
from structlog.contextvars import bind_contextvars

from contracts.challenges import Secret
from infra import clock
from infra.errors import MisconfiguredError, TransientError
from infra.postgres import CONFLICTS, is_outage
from infra.telemetry import request_of
from notifier.content import Kind, Notification
from notifier.deliver.builder import Builder, Dropped, Missing, TooLate
from notifier.deliver.codes import Codes
from notifier.deliver.delivery_queue import DeliveryQueue
from notifier.deliver.held import Held
from notifier.deliver.outbox import Lane, Outbox, Settlement
from notifier.deliver.pace import retry_after_s

# Held by this process at a time: enough that no worker is idle, at most what is sent in a few seconds.
HELD_MAX: dict[Lane, int] = {"codes": 16, "appointments": 100}
HELD_S_MAX = 5.0
# In case a wake-up was lost or the clock was set.
SLEEP_S_MAX = 15.0
# The interval for notifications that are due but claimed by others.
SLEEP_S_MIN = 0.1
# After a claim that found everything: what falls due within this interval is claimed together.
CLAIM_INTERVAL_S: dict[Lane, float] = {"codes": 0.05, "appointments": 0.5}
RETRY_S = 0.5
MISSING_RETRY_S = (0.5, 60.0)
MISCONFIGURED_RETRY_S = 60.0
# A mail that is cut off between the final dot and the server's reply is sent again, so deliveries get all the
# time there is: a process that takes 15 s to stop is killed.
STOP_TIMEOUT_S = 12.0

_log = structlog.get_logger(__name__)


class Claimer:
    """Claims the notifications of one lane for one channel, as many as can be delivered soon."""

    def __init__(
        self,
        lane: Lane,
        channel: str,
        outbox: Outbox,
        builder: Builder,
        codes: Codes,
        queues: Mapping[str, DeliveryQueue],
        lease: timedelta,
    ) -> None:
        """`queues` are those of all channels, by name."""
        self._lane = lane
        self._outbox = outbox
        self._builder = builder
        self._codes = codes
        self._queue = queues[channel]
        self._others = {name: queue for name, queue in queues.items() if name != channel}
        self._lease = lease
        self._held = 0
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()

    def wake(self) -> None:
        """Claim again soon: a notification may be due."""
        self._wake.set()

    async def stopped(self) -> None:
        """Stop claiming. Returns when all claimed notifications are in a delivery queue."""
        self._stop.set()
        self._wake.set()
        await self._ended.wait()

    async def run(self) -> None:
        """Claim until stopped or cancelled."""
        try:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    await self._wait(await self._claim())
                except Exception as error:
                    if not (is_outage(error) or isinstance(error, CONFLICTS)):
                        raise
                    _log.warning("cannot claim, retrying", lane=self._lane, error=repr(error))
                    await self._wait(RETRY_S)
        finally:
            self._ended.set()

    async def _claim(self) -> float | None:
        """Claim once. Returns the seconds until the next claim, unless a wake-up comes first."""
        if self._queue.pace.closed_for_s:
            return self._queue.pace.closed_for_s
        held_max = self._held_max()
        free = held_max - self._held
        if free < (held_max + 1) // 2:
            return SLEEP_S_MAX  # a settled notification wakes it
        rows = await self._outbox.claim(self._lane, list(self._others), free)
        until_s = clock.monotonic() + self._lease.total_seconds()
        await asyncio.gather(*(self._take(row, until_s) for row in rows))
        if len(rows) == free:
            return None
        due_s = await self._outbox.next_due_s(self._lane, list(self._others))
        return SLEEP_S_MAX if due_s is None else min(SLEEP_S_MAX, max(SLEEP_S_MIN, due_s))

    def _held_max(self) -> int:
        held_s_max = min(HELD_S_MAX, self._lease.total_seconds() / 4)
        return max(1, min(HELD_MAX[self._lane], int(held_s_max * self._queue.pace.rate_per_s)))

    async def _wait(self, for_s: float | None) -> None:
        if not for_s:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLAIM_INTERVAL_S[self._lane]):
                await self._stop.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await self._wake.wait()

    async def _take(self, row: asyncpg.Record, until_s: float) -> None:
        bind_contextvars(**request_of(row["traceparent"]))  # the task is this notification's alone
        self._held += 1
        notification = await self._notification(row)
        if isinstance(notification, Settlement):
            await self._outbox.settle(notification, row["kind"])
            self._done()
            return
        due_s = clock.monotonic() - row["age_s"]
        held = Held(
            notification,
            row["claim"],
            row["tries"],
            row["sends"],
            row["profile"],
            row["traceparent"],
            due_s=due_s,
            until_s=until_s,
            done=self._done,
        )
        other = self._others.get(notification.recipient.channel)
        if other is None:
            self._queue.put(held)
        else:
            other.release(held)  # its own claimers take it from there

    def _done(self) -> None:
        self._held -= 1
        self._wake.set()

    async def _notification(self, row: asyncpg.Record) -> Notification | Settlement:
        id_, claim = row["id"], row["claim"]
        try:
            notification = self._builder.build(row, await self._secret(row))
        except MisconfiguredError as error:
            _log.critical("notifications cannot be written", error=str(error))
            after = timedelta(seconds=MISCONFIGURED_RETRY_S)
            return Settlement(id_, claim, "planned", str(error), after)
        except TransientError as error:
            return Settlement(id_, claim, "planned", str(error), timedelta(seconds=RETRY_S), tried=True)
        except ValueError as error:
            _log.error("notification cannot be written", notification=str(id_), error=str(error))
            return Settlement(id_, claim, "undeliverable", str(error))
        match notification:
            case Dropped(reason):
                return Settlement(id_, claim, "dropped", reason)
            case Missing(reason):
                after = timedelta(seconds=retry_after_s(row["tries"], *MISSING_RETRY_S))
                return Settlement(id_, claim, "planned", reason, after, tried=True)
            case TooLate():
                return _too_late(row)
            case Notification():
                return notification

    async def _secret(self, row: asyncpg.Record) -> Secret | None:
        if row["kind"] != Kind.LOGIN_CODE or row["late"]:
            return None
        if row["secret"] is not None:
            return self._codes.of_notice(row)
        return await self._codes.of(row["challenge_id"])


def _too_late(row: asyncpg.Record) -> Settlement:
    """A late reminder or code is dropped. In all other cases, notices too, staff should call the patient."""
    reason = f"too late; last: {row['reason']}" if row["reason"] else "too late"
    useless = row["kind"] == Kind.REMINDER or (row["kind"] == Kind.LOGIN_CODE and row["secret"] is None)
    return Settlement(row["id"], row["claim"], "dropped" if useless else "undeliverable", reason)


async def stop(claimers: Sequence[Claimer], queues: Sequence[DeliveryQueue]) -> None:
    """Stop claiming, put queued notifications back, and wait for those that are being delivered."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await asyncio.gather(*(claimer.stopped() for claimer in claimers))
            await asyncio.gather(*(queue.settled() for queue in queues))
