"""Decides a few commands of several partitions in one transaction, which costs more than the commands.

Commands that arrive during a round wait for the next one. If a round fails or takes too long, each of its
partitions continues alone.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from booking_worker.decide.command_record import CommandRecord
from booking_worker.partition import OwnedPartition
from infra.errors import MisconfiguredError

# Larger numbers are decided by partition, concurrently.
TOGETHER_COMMANDS_MAX = 200
# A round that takes longer may wait for the lock of a single partition.
TOGETHER_S_MAX = 2.0

_log = structlog.get_logger(__name__)

Parts = dict[OwnedPartition, list[CommandRecord]]
# The reason for which a partition has to stop after a transaction; None if it continues.
Reasons = dict[OwnedPartition, MisconfiguredError | None]


class SharedRounds:
    """`transaction` decides commands of several partitions; `may_be_a_bug` classifies its errors."""

    def __init__(
        self, transaction: Callable[[Parts], Awaitable[Reasons]], may_be_a_bug: Callable[[Exception], bool]
    ) -> None:
        self._transaction = transaction
        self._may_be_a_bug = may_be_a_bug
        self._waiting: dict[OwnedPartition, tuple[list[CommandRecord], asyncio.Future[int | None]]] = {}
        self._round: asyncio.Task[None] | None = None

    async def decide(self, owned: OwnedPartition, items: list[CommandRecord]) -> int | None:
        """Returns None if a round has decided the items, else the number of tries with which the partition
        continues.

        Raises:
            MisconfiguredError: the items are decided, and the partition has to stop.
        """
        decided: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._waiting[owned] = (items, decided)
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._rounds())
        return await decided

    async def close(self) -> None:
        """Stop deciding."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait([self._round])

    async def _rounds(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, {}
            parts = {owned: items for owned, (items, decided) in taken.items() if not decided.done()}
            reasons: Reasons | None = None
            tries = 0
            if sum(map(len, parts.values())) <= TOGETHER_COMMANDS_MAX:
                try:
                    async with asyncio.timeout(TOGETHER_S_MAX):
                        reasons = await self._transaction(parts)
                except Exception as error:
                    _log.info("decided apart", partitions=len(parts), error=repr(error))
                    tries = int(self._may_be_a_bug(error))
            for owned, (_, decided) in taken.items():
                if decided.done():
                    continue
                if reasons is not None and (reason := reasons.get(owned)) is not None:
                    decided.set_exception(reason)
                else:
                    decided.set_result(tries if reasons is None else None)
