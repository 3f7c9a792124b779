"""A channel with its pace, and the letters that wait in front of it, each to be settled in the end."""

import asyncio
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from infra.postgres import CONFLICTS, is_outage
from notifier.channels import (
    AwayError,
    BrokenError,
    Channel,
    DeferredError,
    OvertakenError,
    RefusedError,
)
from notifier.content import Clinic, Kind, Letter
from notifier.metrics import FAILED_TRIES, REPEATS, SENT_AFTER_SECONDS
from notifier.outbox import Outbox, Settlement, State
from notifier.pace import Pace, retry_after_s

RETRY_S = {Kind.LOGIN_CODE: (0.5, 10.0)}
RETRY_S_OTHERS = (5.0, 900.0)
BUG_TRIES_MAX = 3
# What a claim has left is not used up whole: clocks and schedulers are never exact.
LEASE_MARGIN = 0.1

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Held:
    """A letter that this process has claimed, made with this `profile`. `until_s` is when the claim ends,
    `due_s` when it fell due (both of the monotonic clock); `done` is called once it is settled. What is
    `begun` may have arrived; what is `unsent` all the same has not."""

    letter: Letter
    claim: int
    tries: int
    sends: int
    profile: bytes | None
    due_s: float
    until_s: float
    done: Callable[[], None]
    begun: bool = False
    unsent: bool = False

    @property
    def id(self) -> UUID:
        """The notification's."""
        return self.letter.id


class Line:
    """Delivers what is put into it, login codes first."""

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
        """`workers` deliver side by side, and one more login codes only. `wake` is called when a letter was
        put back."""
        self.pace = pace
        self._channel = channel
        self._clinic = clinic
        self._outbox = outbox
        self._workers = workers
        self._lease_s = lease.total_seconds()
        self._sending_lease = lease + timedelta(seconds=channel.accept_timeout_s)
        self._wake = wake
        self._codes: deque[Held] = deque()
        self._letters: deque[Held] = deque()
        self._delivering = 0
        self._changed = asyncio.Event()
        self._unsettled: set[asyncio.Task[None]] = set()

    def put(self, held: Held) -> None:
        """Deliver it when it is its turn."""
        if self.pace.closed_for_s:
            self.release(held)
        else:
            (self._codes if held.letter.kind == Kind.LOGIN_CODE else self._letters).append(held)
            self._changed.set()

    def release(self, held: Held) -> None:
        """Whoever sends by this channel may claim it."""
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
                    # A turn that is taken before there is a letter would be saved up: all send at once then.
                    self.pace.take()
                    self._delivering += 1
                    # A task of its own, so that stopping need not cut it off.
                    self._start(self._deliver(held), held).add_done_callback(self._delivered)
        finally:
            # What was not settled in time: its claim ends by itself.
            for task in self._unsettled:
                task.cancel()
            await asyncio.gather(*self._unsettled, return_exceptions=True)
            await self._channel.close()

    async def settled(self) -> None:
        """Give back what waits, and return when what is being delivered is settled."""
        self._release_all()
        while self._unsettled:
            await asyncio.wait(self._unsettled)

    def _next(self) -> deque[Held] | None:
        """What waits, if there is a worker for it."""
        if self._codes and self._delivering <= self._workers:
            return self._codes
        return self._letters if self._letters and self._delivering < self._workers else None

    def _fresh(self) -> Held | None:
        while waiting := self._next():
            held = waiting.popleft()
            if held.until_s - time.monotonic() >= self._lease_s / 2:
                return held
            self.release(held)  # better claimed again than begun in haste
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
        for waiting in (self._codes, self._letters):
            while waiting:
                self.release(waiting.popleft())

    async def _deliver(self, held: Held) -> None:
        loop = asyncio.get_running_loop()
        left_s = held.until_s - time.monotonic()
        try:
            async with asyncio.timeout((1 - LEASE_MARGIN) * left_s) as limit:

                async def begin() -> None:
                    await self._begin(held)
                    lease_s = self._sending_lease.total_seconds()
                    limit.reschedule(loop.time() + (1 - LEASE_MARGIN) * lease_s)

                await self._channel.deliver(held.letter, self._clinic, begin)
        except OvertakenError:
            _log.info("not ours any more", notification=str(held.id))
            await self._settle(held, "planned")
        except Exception as error:
            await self._failed(held, error)
        else:
            self.pace.delivered()
            await self._settle(held, "sent")
            SENT_AFTER_SECONDS.labels(held.letter.kind).observe(time.monotonic() - held.due_s)

    async def _begin(self, held: Held) -> None:
        if time.monotonic() >= held.until_s:
            raise OvertakenError
        try:
            held.begun = await self._outbox.begin(held.id, held.claim, self._sending_lease, held.profile)
        except Exception as error:
            if is_outage(error) or isinstance(error, CONFLICTS):
                raise OvertakenError from None  # not marked, not sent
            raise
        if not held.begun:
            raise OvertakenError
        if held.sends:
            REPEATS.inc()
            _log.warning("may be a repeat", notification=str(held.id), kind=held.letter.kind)

    async def _failed(self, held: Held, error: Exception) -> None:
        held.unsent = held.begun and isinstance(error, (RefusedError, DeferredError, AwayError))
        match error:
            case RefusedError():
                self.pace.answered()
                await self._give_up(held, str(error))
            case DeferredError():
                self._see_whether_closed(lambda: self.pace.deferred(held.id), error)
                await self._try_later(held, str(error))
            case BrokenError() | TimeoutError():
                self._see_whether_closed(self.pace.close, error)
                await self._try_later(held, str(error) or "the server took too long")
            case AwayError():
                self._see_whether_closed(self.pace.close, error)
                await self._settle(held, "planned", str(error))
            case ValueError():
                await self._give_up(held, "it cannot be sent as it is")
            case _:
                # Where, but not what it says: that may name somebody.
                at = "".join(traceback.format_tb(error.__traceback__))
                reason = f"a bug: {type(error).__name__}"
                _log.error("cannot be delivered", notification=str(held.id), error=reason, at=at)
                if held.tries + 1 >= BUG_TRIES_MAX:
                    await self._give_up(held, reason)
                else:
                    await self._try_later(held, reason)

    def _see_whether_closed(self, tell: Callable[[], object], error: Exception) -> None:
        was_closed = self.pace.closed_for_s
        tell()
        if self.pace.closed_for_s and not was_closed:
            for_s = round(self.pace.closed_for_s, 1)
            _log.warning("pausing", channel=self._channel.name, error=str(error), for_s=for_s)
            self._release_all()

    async def _give_up(self, held: Held, reason: str) -> None:
        _log.warning("undeliverable", notification=str(held.id), kind=held.letter.kind, reason=reason)
        await self._settle(held, "undeliverable", reason)

    async def _try_later(self, held: Held, reason: str) -> None:
        FAILED_TRIES.labels(self._channel.name).inc()
        after_s = retry_after_s(held.tries, *RETRY_S.get(held.letter.kind, RETRY_S_OTHERS))
        await self._settle(held, "planned", reason, after_s, tried=True)

    async def _settle(
        self, held: Held, state: State, reason: str | None = None, after_s: float = 0, *, tried: bool = False
    ) -> None:
        after, channel = timedelta(seconds=after_s), self._channel.name
        settlement = Settlement(held.id, held.claim, state, reason, after, tried, held.unsent, channel)
        await self._outbox.settle(settlement, held.letter.kind)
        if state == "planned":
            self._wake()
