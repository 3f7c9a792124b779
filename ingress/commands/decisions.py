"""Decisions as the ingress sees them: always read from Postgres, soon after a wake-up through Redis.

A wake-up only names commands, and saves time: requests that wait are also looked up from time to time, seldom
while Redis answers, often while it does not. Nothing that the channel says is believed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import structlog
from redis.asyncio import Redis

from contracts.decision import Decision, State, unpack_wake_up
from contracts.fields import or_newer
from contracts.refusals import Reason, Refusal
from infra.batcher import Coalesced
from infra.jobs import all_of
from infra.postgres import OUTAGES
from infra.queries import load_queries
from infra.redis import REDIS_OUTAGES
from ingress.commands.known_positions import KnownPositions
from ingress.http.metrics import DECISION_WAIT_SECONDS, REDIS_CONNECTED

LOOK_UP_INTERVAL_S = 0.5
LOOK_UP_INTERVAL_WITHOUT_REDIS_S = 0.05
RECONNECT_INTERVAL_S = 0.5
PING_INTERVAL_S = 5.0

SQL = load_queries(Path(__file__).with_name("queries.sql"))

_log = structlog.get_logger(__name__)


class Decisions:
    """Finds decisions, and waits for those to come."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        redis: Redis,
        channel: str,
        woken: Callable[[], None],
        known: KnownPositions,
    ) -> None:
        """`woken` is called at each wake-up; it must not block."""
        self._known = known
        self._pool = pool
        self._redis = redis
        self._channel = channel
        self._woken = woken
        self._connected = False
        self._found = Coalesced(self._fetch)
        self._waiting: dict[UUID, set[asyncio.Future[Decision]]] = {}
        self._announced: set[UUID] = set()
        self._some_announced = asyncio.Event()
        self._some_waiting = asyncio.Event()
        self._stopping = False

    async def find(self, command_id: UUID) -> Decision | None:
        """The decision, if there is one by now."""
        return await self._found.get(command_id)

    @contextlib.contextmanager
    def expected(self, command_id: UUID) -> Iterator[asyncio.Future[Decision]]:
        """A future of the decision. One that enters before the command is sent cannot miss its wake-up."""
        waiter: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        if self._stopping:
            waiter.cancel()
        self._waiting.setdefault(command_id, set()).add(waiter)
        self._some_waiting.set()
        try:
            yield waiter
        finally:
            waiter.cancel()
            self._waiting[command_id].remove(waiter)
            if not self._waiting[command_id]:
                del self._waiting[command_id]
            if not self._waiting:
                self._some_waiting.clear()

    @staticmethod
    async def within(waiter: asyncio.Future[Decision], timeout_s: float) -> Decision | None:
        """The expected decision, or None if it does not come in time."""
        with DECISION_WAIT_SECONDS.time():
            await asyncio.wait((waiter,), timeout=timeout_s)
        return waiter.result() if waiter.done() and not waiter.cancelled() else None

    def stop_waiting(self) -> None:
        """End all waits, as if their time were over: who waits is answered before the process ends."""
        self._stopping = True
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.cancel()

    async def _fetch(self, command_ids: list[UUID]) -> dict[UUID, Decision]:
        rows = await self._pool.fetch(SQL["decisions"], command_ids)
        for row in rows:
            self._known.told(row["partition"], row["offset"], row["decided_at"])
        return {row["command_id"]: _decision(row) for row in rows}

    async def listen(self) -> None:
        """Receive wake-ups until cancelled."""
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(self._channel)
                    while True:
                        message = await subscription.get_message(timeout=PING_INTERVAL_S)
                        if message is None:
                            await subscription.ping()
                        elif message["type"] == "subscribe":
                            self._set_connected(True)
                        elif message["type"] == "message":
                            self._announce(unpack_wake_up(message["data"]))
                            self._woken()
            except REDIS_OUTAGES as error:
                if self._connected:
                    _log.warning("redis is unavailable: decisions are polled", error=repr(error))
                self._set_connected(False)
                await asyncio.sleep(RECONNECT_INTERVAL_S)

    def _set_connected(self, connected: bool) -> None:
        self._connected = connected
        REDIS_CONNECTED.set(connected)

    async def look_up(self) -> None:
        """Look up the decisions that requests wait for, until cancelled."""
        await all_of([self._look_up_announced(), self._look_up_all()])

    async def _look_up_announced(self) -> None:
        # One query at a time: what is announced meanwhile goes with the next one.
        while True:
            await self._some_announced.wait()
            self._some_announced.clear()
            command_ids, self._announced = self._announced, set()
            await self._look_up(command_ids)

    async def _look_up_all(self) -> None:
        while True:
            await self._some_waiting.wait()
            await asyncio.sleep(LOOK_UP_INTERVAL_S if self._connected else LOOK_UP_INTERVAL_WITHOUT_REDIS_S)
            await self._look_up(self._waiting)

    async def _look_up(self, command_ids: Iterable[UUID]) -> None:
        try:
            self._wake((await self._fetch(list(command_ids))).values())
        except OUTAGES as error:
            _log.warning("postgres is unavailable", error=repr(error))

    def _announce(self, command_ids: Iterable[UUID]) -> None:
        self._announced.update(self._waiting.keys() & set(command_ids))
        if self._announced:
            self._some_announced.set()

    def _wake(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            for waiter in self._waiting.get(decision.command_id, ()):
                if not waiter.done():
                    waiter.set_result(decision)


def _decision(row: asyncpg.Record) -> Decision:
    return Decision(
        row["command_id"],
        row["fingerprint"],
        or_newer(State, row["state"]),
        None if row["reason"] is None else Refusal(or_newer(Reason, row["reason"]), row["count"]),
        row["partition"],
        row["offset"],
        row["decided_at"],
    )
