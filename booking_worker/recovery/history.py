"""The conditions under which a partition may be decided: checked when it is opened, and from time to time."""

from booking_worker.recovery.catch_up import CatchUp
from booking_worker.recovery.decided_log import DecidedLog
from booking_worker.recovery.gate import AllCaughtUp
from booking_worker.recovery.topic_identity import SameTopic
from infra.jobs import all_of


class History:
    """The topic is the same one, the database has caught up, and neither log has lost what was decided."""

    def __init__(
        self, same_topic: SameTopic, caught_up: AllCaughtUp, catch_up: CatchUp, decided_log: DecidedLog
    ) -> None:
        self._same_topic = same_topic
        self._caught_up = caught_up
        self._catch_up = catch_up
        self._decided_log = decided_log

    @property
    def generation(self) -> int:
        """Changes when the database may have become an older one: partitions have to be taken up again."""
        return self._caught_up.generation

    async def take_up(self, partition: int) -> None:
        """Return when the partition's position may be read. Raises what the parts do."""
        await all_of([self._same_topic.check(), self._caught_up.take_up(partition)])

    async def check_log(self, partition: int) -> None:
        """Compare the last decision with its record. Raises what `DecidedLog.check` does."""
        await self._decided_log.check(partition)

    async def has_its_events(self, partition: int) -> bool:
        """False if the partition has to be taken up again: its events and the topic differ."""
        return await self._catch_up.published.is_complete(partition)
