"""Nothing is decided before the database has caught up with the events of every partition.

A decision looks at what others decided: a visit that came from another partition's doctor or went there, the
patient's visits elsewhere. After a restore, a decision made while such an event is not folded yet contradicts
it, and then it can never be folded.

So the gate is closed at the start, and again whenever the database may be an older one: its server was
restarted, a copy took its place, or a position is below one that this process has seen. Connections to a
database that was not looked at are refused.
"""

import asyncio
import contextlib
from typing import NamedTuple

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from booking_worker.partition import OwnedPartition
from booking_worker.recovery.catch_up import CatchUp
from booking_worker.store.store import statements
from contracts.topics import EVENTS_TOPIC
from infra.errors import MisconfiguredError, OlderDatabaseError
from infra.jobs import all_of
from infra.postgres import Connection, is_outage, is_systems_fault
from storage.positions import Position, read_positions

RETRY_INTERVAL_S = 0.5
LOOK_INTERVAL_S = 1.0
# Other workers may still publish events that their database has lost: time for them to reach the topic.
UNPUBLISHED_S = 2.0
UNPUBLISHED_S_MAX = 10.0

_log = structlog.get_logger(__name__)


class _Mark(NamedTuple):
    next_offset: int = 0
    event_count: int = 0


class AllCaughtUp:
    """The gate. `run` looks after it.

    Attributes:
        generation: counts how often it was closed; what was opened in an earlier one has to be opened again.
    """

    def __init__(self, catch_up: CatchUp, pool: asyncpg.Pool, topic: str) -> None:
        """`pool` has connections that `admit` is not asked about; `topic` is the commands'."""
        self.generation = 0
        self._catch_up = catch_up
        self._pool = pool
        self._topic = topic
        self._opened = asyncio.Event()
        self._closed = asyncio.Event()
        self._database: asyncpg.Record | None = None
        self._seen: dict[int, _Mark] = {}
        self._owned: dict[int, OwnedPartition] = {}
        self._not_again: set[int] = set()

    async def admit(self, connection: Connection) -> None:
        """Let a new connection pass, if it leads to the database that has caught up.

        Raises:
            OlderDatabaseError: it may be another one; it is looked at now.
        """
        if self._database is None or await connection.fetchrow(statements["database"]) != self._database:
            self._close()
            raise OlderDatabaseError("the database may be older than the events")

    def own(self, owned: OwnedPartition) -> None:
        """Watch the position of a partition that this process owns from now on."""
        self._owned[owned.number] = owned

    async def take_up(self, number: int) -> None:
        """Return when a partition's commands may be decided. Raises what `CatchUp.run` does."""
        await self._opened.wait()
        if number in self._not_again:
            self._not_again.remove(number)
        else:
            await self._catch_up.run(number)

    async def run(self) -> None:
        """Catch up whenever it is needed, and stay connected to the events, until cancelled."""
        async with self._catch_up.connected():
            while True:
                await self._catch_up_all()
                self._opened.set()
                while self._opened.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_INTERVAL_S):
                            await self._closed.wait()
                    await self._look()

    def _close(self) -> None:
        if self._opened.is_set():
            self._seen = self._known()
            self._opened.clear()
            self.generation += 1
        self._closed.set()

    async def _look(self) -> None:
        known = self._known()
        try:
            positions = await read_positions(self._pool, self._topic)
        except Exception as error:
            _wait_out(error)
            return
        if _is_older(positions, known):
            self._database = None
            self._close()
        else:
            self._note(positions)

    def _known(self) -> dict[int, _Mark]:
        """What was read last, and what this process has decided since."""
        known = dict(self._seen)
        for number, owned in self._owned.items():
            if owned.is_admitted:
                seen = known.get(number, _Mark())
                known[number] = seen._replace(next_offset=max(seen.next_offset, owned.next_offset))
        return known

    def _note(self, positions: dict[int, Position]) -> None:
        self._seen = {
            number: _Mark(position.next_offset, position.event_count)
            for number, position in positions.items()
        }

    async def _catch_up_all(self) -> None:
        while True:
            self._closed.clear()
            try:
                database = await self._pool.fetchrow(statements["database"])
                if _is_older(await read_positions(self._pool, self._topic), self._seen):
                    _log.critical("the database is older than what was decided: catching up with the events")
                    await self._unpublished()
                await all_of(self._one(number) for number in range(EVENTS_TOPIC.partitions))
                self._note(await read_positions(self._pool, self._topic))
                if await self._pool.fetchrow(statements["database"]) == database:
                    self._database = database
                    return
            except Exception as error:
                _wait_out(error)
                _log.warning("the database cannot be looked at yet", error=repr(error))
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def _unpublished(self) -> None:
        """Wait until events that only processes know are on the topic: there they are found again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNPUBLISHED_S_MAX):
                await asyncio.sleep(UNPUBLISHED_S)
                await all_of(owned.publisher.emptied() for owned in self._owned.values())

    async def _one(self, number: int) -> None:
        while True:
            try:
                await self._catch_up.run(number)
            except MisconfiguredError:
                return  # whoever takes it up says so, and stops
            except Exception as error:
                _wait_out(error)
                _log.warning("what is missing is not known yet", partition=number, error=repr(error))
                await asyncio.sleep(RETRY_INTERVAL_S)
            else:
                self._not_again.add(number)
                return


def _wait_out(error: Exception) -> None:
    """Raise what is neither an outage nor a fault of the system: waiting would not help."""
    if not (isinstance(error, KafkaError) or is_outage(error) or is_systems_fault(error)):
        raise error


def _is_older(positions: dict[int, Position], known: dict[int, _Mark]) -> bool:
    return any(
        number not in positions
        or positions[number].next_offset < mark.next_offset
        or positions[number].event_count < mark.event_count
        for number, mark in known.items()
    )
