"""A progress watch: a consumer that makes no progress for no known reason ends its process."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from infra import clock
from infra.errors import StandingStillError, TransientError
from infra.kafka.assigned_partition import AssignedPartition

WATCH_INTERVAL_S = 2.0

_log = structlog.get_logger(__name__)


class ProgressWatch:
    """Watches the partitions of one topic. `client` is the aiokafka consumer that reads them."""

    def __init__(
        self, client: Any, assigned: Mapping[TopicPartition, AssignedPartition], timeout_s: float
    ) -> None:
        self.standing_still: str | None = None
        self._client = client
        self._assigned = assigned
        self._timeout_s = timeout_s

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            StandingStillError: the process should be started again.
        """
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            for task in (self._client._fetcher._fetch_task, self._client._coordinator._coordination_task):
                if task.done():
                    self._fail(f"a task of the Kafka client has ended: {task!r}")
            ends = await self._ends(list(self._assigned))
            for name, assigned in list(self._assigned.items()):
                self._look_at(assigned, ends.get(name))

    async def _ends(self, names: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        try:
            ends: Mapping[TopicPartition, int] = await self._client.end_offsets(names) if names else {}
        except (KafkaError, TransientError) as error:
            _log.warning("cannot read the ends of the log", error=repr(error))
            return {}
        return ends

    def _look_at(self, assigned: AssignedPartition, end: int | None) -> None:
        next_offset, since = assigned.seen
        known = assigned.queue.expected is None or assigned.stopped or assigned.partition.waiting
        if end is None or known or next_offset != assigned.partition.next_offset:
            assigned.waited()
            return
        # After its last record, a log may have transaction markers.
        idle = not assigned.queue and not assigned.busy and self._is_read_to(assigned.name, end)
        if idle or next_offset >= end:
            assigned.waited()
            return
        seconds = clock.monotonic() - since
        if seconds > self._timeout_s:
            self._fail(
                f"{assigned.name.topic}, partition {assigned.name.partition}: at offset {next_offset} for "
                f"{seconds:.0f} s, although the log ends at {end}"
            )

    def _is_read_to(self, name: TopicPartition, end: int) -> bool:
        assignment = self._client._subscription.subscription.assignment
        state = assignment.state_value(name) if assignment else None
        return bool(state and state.has_valid_position and state.position >= end)

    def _fail(self, reason: str) -> None:
        self.standing_still = reason
        raise StandingStillError(reason)
