"""A partition that an operator paused (`clinic pause`): it stands still, and says so, until it is resumed."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import TopicPartition

from infra.kafka.partition import Partition
from infra.metrics import PARTITION_PAUSED

LOOK_INTERVAL_S = 1.0

_log = structlog.get_logger(__name__)


class Pause:
    """The pause of one partition. `reason` is None while it is not paused."""

    def __init__(self, name: TopicPartition, partition: Partition) -> None:
        self.reason: str | None = None
        self._where = {"topic": name.topic, "partition": name.partition}
        self._partition = partition
        self._gauge = PARTITION_PAUSED.labels(name.topic, str(name.partition))
        self._gauge.set(0)

    async def last(self, reason: str, waited: Callable[[], None]) -> None:
        """Return when an operator has resumed the partition. Calls `waited` while it lasts."""
        _log.warning("partition paused", **self._where, reason=reason)
        self.reason = reason
        self._gauge.set(1)
        while await self._stands():
            waited()
            await asyncio.sleep(LOOK_INTERVAL_S)
        _log.warning("partition resumed", **self._where)
        self.over()

    def over(self) -> None:
        """It is not paused any more, or another process owns it."""
        self.reason = None
        self._gauge.set(0)

    async def _stands(self) -> bool:
        try:
            return await self._partition.paused_at() is not None
        except Exception as error:
            # An outage, or a fault of the system. Going on would only meet it again.
            _log.info("cannot see whether it is resumed", **self._where, error=repr(error))
            return True
