"""A channel with its pace, and the letters that wait in front of it, each to be settled in the end."""

import asyncio
import itertools
import time
import traceback
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
from notifier.metrics import FAILED_TRIES, FINISHED, REPEATS, SENT_AFTER_SECONDS
from notifier.outbox import Outbox, Settlement
from notifier.pace import Pace, retry_after_s

RETRY_S = {Kind.LOGIN_CODE: (0.5, 10.0)}
RETRY_S_OTHERS = (5.0, 900.0)
BUG_TRIES_MAX = 3
WRITE_RETRY_S = 0.5
# What a claim has left is not used up whole: clocks and schedulers are never exact.
LEASE_MARGIN = 0.1

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Held:
    """A letter that this process has claimed. `until_s` is when the claim ends, `due_s` when it fell due
    (both of the monotonic clock); `done` is called once it is settled."""

    letter: Letter
    claim: int
    tries: int
    sends: int
    due_s: float
    until_s: float
    done: Callable[[], None]

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
        """`workers` deliver side by side. `wake` is called when a letter was put back."""
        self.pace = pace
        self._channel = channel
        self._clinic = clinic
        self._outbox = outbox
        self._workers = workers
        self._lease_s = lease.total_seconds()
        self._sending_lease = lease + timedelta(seconds=channel.accept_timeout_s)
        self._wake = wake
        self._numbers = itertools.count()
        self._waiting: asyncio.PriorityQueue[tuple[bool, int, Held]] = asyncio.PriorityQueue()
        self._something_waits = asyncio.Event()
        self._unsettled: set[asyncio.Task[None]] = set()

    def put(self, held: Held) -> None:
        """Deliver it when it is its turn."""
        if self.pace.closed_for_s:
            self._release(held)
        else:
            self._waiting.put_nowait((held.letter.kind != Kind.LOGIN_CODE, next(self._numbers), held))
            self._something_waits.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
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

    async def _work(self) -> None:
        while True:
            # A turn that is taken before there is a letter would be saved up: all send at once then.
            await self._something_waits.wait()
            await self.pace.turn()
            if self._waiting.empty():
                self._something_waits.clear()
                continue
            *_, held = self._waiting.get_nowait()
            # A task of its own, so that stopping need not cut it off.
            await self._start(self._deliver(held), held)

    def _start(self, job: Coroutine[object, object, None], held: Held) -> asyncio.Task[None]:
        task = asyncio.create_task(job)
        self._unsettled.add(task)

        def settled(task: asyncio.Task[None]) -> None:
            self._unsettled.discard(task)
            held.done()

        task.add_done_callback(settled)
        return task

    def _release_all(self) -> None:
        while not self._waiting.empty():
            self._release(self._waiting.get_nowait()[-1])

    def _release(self, held: Held) -> None:
        self._start(self._put_back(held, None, self.pace.closed_for_s, tried=False), held)

    async def _deliver(self, held: Held) -> None:
        loop = asyncio.get_running_loop()
        left_s = held.until_s - time.monotonic()
        if self.pace.closed_for_s or left_s < self._lease_s / 2:
            # What waited so long is better claimed again than begun in haste.
            await self._put_back(held, None, self.pace.closed_for_s, tried=False)
            return
        try:
            async with asyncio.timeout((1 - LEASE_MARGIN) * left_s) as limit:

                async def begin() -> None:
                    await self._begin(held)
                    lease_s = self._sending_lease.total_seconds()
                    limit.reschedule(loop.time() + (1 - LEASE_MARGIN) * lease_s)

                await self._channel.deliver(held.letter, self._clinic, begin)
        except OvertakenError:
            _log.info("not ours any more", notification=str(held.id))
            await self._put_back(held, None, 0, tried=False)
        except Exception as error:
            await self._failed(held, error)
        else:
            self.pace.delivered()
            await self._settle(held, Settlement(held.id, held.claim, "sent"))
            SENT_AFTER_SECONDS.labels(held.letter.kind).observe(time.monotonic() - held.due_s)

    async def _begin(self, held: Held) -> None:
        if time.monotonic() >= held.until_s:
            raise OvertakenError
        try:
            begun = await self._outbox.begin(held.id, held.claim, self._sending_lease)
        except Exception as error:
            if is_outage(error) or isinstance(error, CONFLICTS):
                raise OvertakenError from None  # not marked, not sent
            raise
        if not begun:
            raise OvertakenError
        if held.sends:
            REPEATS.inc()
            _log.warning("may be a repeat", notification=str(held.id), kind=held.letter.kind)

    async def _failed(self, held: Held, error: Exception) -> None:
        match error:
            case RefusedError():
                self.pace.answered()
                await self._give_up(held, str(error))
            case DeferredError():
                self._see_whether_closed(self.pace.deferred, error)
                await self._put_back(held, str(error), self._retry_after_s(held), tried=True)
            case BrokenError() | TimeoutError():
                self._see_whether_closed(self.pace.close, error)
                reason = str(error) or "the server took too long"
                await self._put_back(held, reason, self._retry_after_s(held), tried=True)
            case AwayError():
                self._see_whether_closed(self.pace.close, error)
                await self._put_back(held, str(error), self.pace.closed_for_s, tried=False)
            case ValueError():
                await self._give_up(held, "it cannot be sent as it is")
            case _:
                # Where, but not what it says: that may name somebody.
                where = "".join(traceback.format_tb(error.__traceback__))
                _log.error(
                    "cannot be delivered", notification=str(held.id), error=repr(type(error)), at=where
                )
                reason = f"a bug: {type(error).__name__}"
                if held.tries + 1 >= BUG_TRIES_MAX:
                    await self._give_up(held, reason)
                else:
                    await self._put_back(held, reason, self._retry_after_s(held), tried=True)

    def _see_whether_closed(self, tell: Callable[[], object], error: Exception) -> None:
        was_closed = self.pace.closed_for_s
        tell()
        if self.pace.closed_for_s and not was_closed:
            for_s = round(self.pace.closed_for_s, 1)
            _log.warning("pausing", channel=self._channel.name, error=str(error), for_s=for_s)
            self._release_all()

    def _retry_after_s(self, held: Held) -> float:
        return retry_after_s(held.tries, *RETRY_S.get(held.letter.kind, RETRY_S_OTHERS))

    async def _give_up(self, held: Held, reason: str) -> None:
        _log.warning("undeliverable", notification=str(held.id), kind=held.letter.kind, reason=reason)
        await self._settle(held, Settlement(held.id, held.claim, "undeliverable", reason))

    async def _put_back(self, held: Held, reason: str | None, after_s: float, *, tried: bool) -> None:
        if tried:
            FAILED_TRIES.labels(self._channel.name).inc()
        after = timedelta(seconds=after_s)
        await self._settle(held, Settlement(held.id, held.claim, "planned", reason, after, tried))
        self._wake()

    async def _settle(self, held: Held, settlement: Settlement) -> None:
        await settle(self._outbox, settlement, held.letter.kind)


async def settle(outbox: Outbox, settlement: Settlement, kind: str) -> None:
    """Write what became of a letter, however long the database is away."""
    while True:
        try:
            written = await outbox.settle(settlement)
        except Exception as error:
            if not (is_outage(error) or isinstance(error, CONFLICTS)):
                raise
            _log.warning("cannot be written yet", state=settlement.state, error=repr(error))
            await asyncio.sleep(WRITE_RETRY_S)
            continue
        if written and settlement.state != "planned":
            FINISHED.labels(kind, settlement.state).inc()
        return
