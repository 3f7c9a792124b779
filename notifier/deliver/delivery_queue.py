"""Delivers claimed notifications by one channel, at its pace, and settles each."""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import timedelta

import structlog
from structlog.contextvars import bind_contextvars

from infra import clock
from infra.postgres import CONFLICTS, is_outage
from infra.telemetry import request_of
from notifier.channels.base import (
    Channel,
    ClaimLostError,
    ConnectionLostError,
    DeferredError,
    RefusedError,
    ServerUnavailableError,
)
from notifier.content import Clinic, Kind
from notifier.deliver.held import Held
from notifier.deliver.outbox import Outbox, Settlement, State
from notifier.deliver.pace import Pace, retry_after_s
from notifier.metrics import FAILED_TRIES, REPEATS, SENT_AFTER_SECONDS

RETRY_S = {kind: (0.5, 10.0) for kind in Kind if kind.is_urgent}
RETRY_S_OTHERS = (5.0, 900.0)
BUG_TRIES_MAX = 3
# The last part of a claim is not used, because clocks and schedulers are inexact.
LEASE_MARGIN = 0.1

_log = structlog.get_logger(__name__)


class DeliveryQueue:
    """Delivers the notifications in the queue, login codes first."""

    def __init__(
        self,
        channel: Channel,
        pace: Pace,
        clinic: Clinic,
        outbox: Outbox,
        *,
        workers: int,
        lease: timedelta,
        wake: Callable[[], None],
    ) -> None:
        """`workers` deliver concurrently, plus one for login codes only. `wake` is called when a notification
        was put back."""
        self.pace = pace
        self._channel = channel
        self._clinic = clinic
        self._outbox = outbox
        self._workers = workers
        self._lease_s = lease.total_seconds()
        self._sending_lease = lease + timedelta(seconds=channel.accept_timeout_s)
        self._wake = wake
        self._codes: deque[Held] = deque()
        self._notifications: deque[Held] = deque()
        self._delivering = 0
        self._changed = asyncio.Event()
        self._unsettled: set[asyncio.Task[None]] = set()

    def put(self, held: Held) -> None:
        """Add a notification to the queue."""
        if self.pace.closed_for_s:
            self.release(held)
        else:
            (self._codes if held.notification.kind.is_urgent else self._notifications).append(held)
            self._changed.set()

    def release(self, held: Held) -> None:
        """Put a notification back: any sender of this channel may claim it."""
        self._start(self._settle(held, "planned"), held)

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                if not self._next():
                    self._changed.clear()
                    await self._changed.wait()
                await self.pace.turn()
                if held := self._fresh():
                    # Not before there is a notification to send: saved turns would be used all at once.
                    self.pace.take()
                    self._delivering += 1
                    # In a separate task, so that a stop does not cut it off.
                    self._start(self._deliver(held), held).add_done_callback(self._delivered)
        finally:
            # Notifications that are not settled in time are claimed again when their claim has expired.
            for task in self._unsettled:
                task.cancel()
            await asyncio.gather(*self._unsettled, return_exceptions=True)
            await self._channel.close()

    async def settled(self) -> None:
        """Put queued notifications back. Returns when those that are being delivered are settled."""
        self._release_all()
        while self._unsettled:
            await asyncio.wait(self._unsettled)

    def _next(self) -> deque[Held] | None:
        """The deque to take from next, if it is not empty and a worker is free for it."""
        if self._codes and self._delivering <= self._workers:
            return self._codes
        return self._notifications if self._notifications and self._delivering < self._workers else None

    def _fresh(self) -> Held | None:
        while waiting := self._next():
            held = waiting.popleft()
            if held.until_s - clock.monotonic() >= self._lease_s / 2:
                return held
            self.release(held)  # its claim ends soon
        return None

    def _delivered(self, _: asyncio.Task[None]) -> None:
        self._delivering -= 1
        self._changed.set()

    def _start(self, job: Coroutine[object, object, None], held: Held) -> asyncio.Task[None]:
        task = asyncio.create_task(job)
        self._unsettled.add(task)
        task.add_done_callback(self._unsettled.discard)
        task.add_done_callback(lambda _: held.done())
        return task

    def _release_all(self) -> None:
        for waiting in (self._codes, self._notifications):
            while waiting:
                self.release(waiting.popleft())

    async def _deliver(self, held: Held) -> None:
        # The task is this notification's alone.
        bind_contextvars(**request_of(held.traceparent))
        held.attempt(self._channel)
        loop = asyncio.get_running_loop()
        left_s = held.until_s - clock.monotonic()
        try:
            async with asyncio.timeout((1 - LEASE_MARGIN) * left_s) as limit:

                async def begin() -> None:
                    await self._begin(held)
                    lease_s = self._sending_lease.total_seconds()
                    limit.reschedule(loop.time() + (1 - LEASE_MARGIN) * lease_s)

                await self._channel.deliver(held.notification, self._clinic, begin)
        except ClaimLostError:
            _log.info("claimed by another sender", notification=str(held.id))
            await self._settle(held, "planned")
        except Exception as error:
            await self._failed(held, error)
        else:
            self.pace.delivered()
            await self._settle(held, "sent")
            SENT_AFTER_SECONDS.labels(held.notification.kind).observe(clock.monotonic() - held.due_s)

    async def _begin(self, held: Held) -> None:
        if clock.monotonic() >= held.until_s:
            raise ClaimLostError
        try:
            held.begun = await self._outbox.begin(held.id, held.claim, self._sending_lease, held.profile)
        except Exception as error:
            if is_outage(error) or isinstance(error, CONFLICTS):
                raise ClaimLostError from None  # not marked as begun, so not sent
            raise
        if not held.begun:
            raise ClaimLostError
        if held.sends:
            REPEATS.inc()
            _log.warning(
                "sent again, may be a repeat", notification=str(held.id), kind=held.notification.kind
            )

    async def _failed(self, held: Held, error: Exception) -> None:
        held.failed(error)
        held.unsent = held.begun and isinstance(error, (RefusedError, DeferredError, ServerUnavailableError))
        match error:
            case RefusedError():
                self.pace.answered()
                await self._give_up(held, str(error))
            case DeferredError():
                self._note_trouble(lambda: self.pace.deferred(held.id), error)
                await self._try_later(held, str(error))
            case ConnectionLostError() | TimeoutError():
                self._note_trouble(self.pace.close, error)
                await self._try_later(held, str(error) or "the server took too long")
            case ServerUnavailableError():
                self._note_trouble(self.pace.close, error)
                await self._settle(held, "planned", str(error))
            case ValueError():
                await self._give_up(held, "it cannot be sent in this form")
            case _:
                # The stack, but not the message: it may contain personal data.
                at = "".join(traceback.format_tb(error.__traceback__))
                reason = f"a bug: {type(error).__name__}"
                _log.error("delivery failed because of a bug", notification=str(held.id), error=reason, at=at)
                if held.tries + 1 >= BUG_TRIES_MAX:
                    await self._give_up(held, reason)
                else:
                    await self._try_later(held, reason)

    def _note_trouble(self, note: Callable[[], object], error: Exception) -> None:
        was_closed = self.pace.closed_for_s
        note()
        if self.pace.closed_for_s and not was_closed:
            for_s = round(self.pace.closed_for_s, 1)
            _log.warning("pausing", channel=self._channel.name, error=str(error), for_s=for_s)
            self._release_all()

    async def _give_up(self, held: Held, reason: str) -> None:
        await self._settle(held, "undeliverable", reason)

    async def _try_later(self, held: Held, reason: str) -> None:
        FAILED_TRIES.labels(self._channel.name).inc()
        after_s = retry_after_s(held.tries, *RETRY_S.get(held.notification.kind, RETRY_S_OTHERS))
        await self._settle(held, "planned", reason, after_s, tried=True)

    async def _settle(
        self, held: Held, state: State, reason: str | None = None, after_s: float = 0, *, tried: bool = False
    ) -> None:
        held.ended(state)
        after, channel = timedelta(seconds=after_s), self._channel.name
        settlement = Settlement(held.id, held.claim, state, reason, after, tried, held.unsent, channel)
        await self._outbox.settle(settlement, held.notification.kind)
        if state == "planned":
            self._wake()
