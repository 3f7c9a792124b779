"""Nothing is decided before the database has caught up with the events of every partition.

A decision looks at what others decided: a visit that came from another partition's doctor or went there, the
patient's visits elsewhere. After a restore, one who decides while such an event is not folded yet says what
contradicts it, and then it can never be folded.
"""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from booking_worker.catch_up import CatchUp
from contracts.topics import EVENTS
from infra.background import all_of
from infra.errors import MisconfiguredError
from infra.postgres import OUTAGES

RETRY_INTERVAL_S = 0.5

_log = structlog.get_logger(__name__)


class AllCaughtUp:
    """Once per process for all partitions, while `run` runs; then for each one that is taken up."""

    def __init__(self, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        self._all = asyncio.Event()
        self._not_again: set[int] = set()

    async def run(self) -> None:
        """Catch up, and stay connected to the events until cancelled."""
        async with self._catch_up.connected():
            await all_of(self._one(number) for number in range(EVENTS.partitions))
            self._all.set()
            await asyncio.Event().wait()

    async def take_up(self, number: int) -> None:
        """Return when a partition's commands may be decided. Raises what `CatchUp.run` does."""
        await self._all.wait()
        if number in self._not_again:
            self._not_again.remove(number)
        else:
            await self._catch_up.run(number)

    async def _one(self, number: int) -> None:
        while True:
            try:
                await self._catch_up.run(number)
            except MisconfiguredError:
                return  # whoever takes it up says so, and stops
            except (KafkaError, *OUTAGES) as error:
                _log.warning("what is missing is not known yet", partition=number, error=repr(error))
                await asyncio.sleep(RETRY_INTERVAL_S)
            else:
                self._not_again.add(number)
                return
