"""Catch up with the events: what stands on `booking.events.v1` beyond the database is folded into it.

After a restore from a backup, or into an empty database, the topic knows more than the database does. The
events are the facts: they are folded, not decided again; what the commands' log holds behind the last of them
is decided then. Workers do so before they decide anything (`gate.py`).

Sequence s stands at an offset of s - 1 or more, as repeats only add. So what is missing is found from the
offset `event_count` on. Partitions are folded by turns; where an event needs one of another partition first
(an appointment that moved here, a time that was freed there), it waits for it.
"""

import asyncio
import contextlib
from functools import partial
from uuid import UUID

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from booking_worker.recovery.event_log import EventsInOrder
from booking_worker.recovery.fold import Commands, NotYetError, OvertakenError, fold
from booking_worker.recovery.published_events import PublishedEvents
from booking_worker.recovery.recorded_event import Recorded, by_command
from booking_worker.recovery.topic_identity import AnotherTopicError
from booking_worker.store.store import AppointmentsChangedError
from contracts.topics import EVENTS_TOPIC
from infra.errors import MisconfiguredError, TransientError
from infra.kafka.connection import topic_name
from infra.kafka.reader import SharedConsumer, start_consumer
from infra.postgres import CONFLICTS
from infra.settings import Settings
from storage.authentic_events import AuthenticEvents
from storage.positions import Position

TRANSACTION_COMMANDS_MAX = 500
# An event of another partition has to come first: its fold takes about as long.
NOT_YET_INTERVAL_S = 0.02
WAITS_PER_WARNING = 500
TOGETHER_AFTER_S = 0.1
TOGETHER_COMMANDS_MIN = 50
CONFLICTS_MAX = 100  # then the caller waits, says so, and tries again

FOLDED_AGAIN = (AppointmentsChangedError, *CONFLICTS)
NOT_YET = (NotYetError, asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError)

_log = structlog.get_logger(__name__)


class CatchUp:
    """Folds events of any partition, each partition by one caller at a time."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        pool: asyncpg.Pool,
        topic: str,
        topic_id: UUID,
        authentic: AuthenticEvents,
    ) -> None:
        """`topic` and its id are the commands'; `pool` has `store.SESSION`."""
        self._pool = pool
        self._topic = topic
        self._topic_id = topic_id
        self._events = topic_name(settings, EVENTS_TOPIC)
        # Several at a time are in each other's way more than they gain.
        self._one_at_a_time = asyncio.Lock()
        self._progress_s = 0.0
        self._together_after_s = TOGETHER_AFTER_S
        start = partial(start_consumer, settings, f"{name} catch-up", EVENTS_TOPIC)
        # Two, as they are at different places of the same partitions.
        self._log, self._ahead = SharedConsumer(start), SharedConsumer(start)
        self.published = PublishedEvents(
            self._log, SharedConsumer(start), self._events, pool, topic, topic_id, authentic
        )

    def connected(self) -> contextlib.AbstractAsyncContextManager[AIOKafkaConsumer]:
        """While inside, no `run` has to wait for a connection to the topic."""
        return self._log.use()

    async def run(self, number: int) -> None:
        """Fold what a partition is missing.

        Its owner decides nothing in it meanwhile; if somebody does, or folds it as well, that is noticed, and
        nothing is folded twice.

        Raises:
            MisconfiguredError: the topic and the database contradict each other, or events are missing.
            KafkaError, OUTAGES, TransientError: a server is unavailable, or others keep changing it.
        """
        for _ in range(CONFLICTS_MAX):
            position = await self.published.position(number)
            if position.topic_id != self._topic_id:
                raise AnotherTopicError(f"{self._topic}, partition {number}")
            last = await self.published.count(number, position)
            if last <= position.event_count:
                if last < position.published_count:
                    await self.published.publish_again(number, last, position)
                await self.published.authenticated(number)
                return
            with contextlib.suppress(OvertakenError):
                count = await self._fold(number, position)
                await self.published.authenticated(number)
                _log.info("caught up", partition=number, events=count)
                return
            await asyncio.sleep(NOT_YET_INTERVAL_S)
        name = self.published.name(number)
        raise TransientError(f"{name}: others folded or decided in it {CONFLICTS_MAX} times")

    async def _fold(self, number: int, position: Position) -> int:
        """From the last event that both have, to the end of the topic as it is now. Returns how many."""
        event_count = position.event_count
        partition, start = TopicPartition(self._events, number), max(event_count - 1, 0)
        events, todo = EventsInOrder(self.published.name(number), start), list[Recorded]()
        self._progressed()
        async with self._log.use() as consumer:
            end = (await consumer.end_offsets([partition]))[partition]
            async for records in self.published.authentic(consumer, position, start, end):
                taken = events.take_all(records)
                if taken and taken[0].event.sequence == event_count:
                    await self.published.check_same(number, taken.pop(0))
                todo += taken
                # The last command may have more events.
                commands = by_command(todo)
                todo = commands.pop() if commands else []
                await self._fold_commands(number, commands)
        if todo:
            await self._fold_commands(number, [todo])
        return events.last - event_count

    async def _fold_commands(self, number: int, commands: Commands) -> None:
        size = size_max = TRANSACTION_COMMANDS_MAX
        waits = 0
        while commands:
            try:
                async with self._one_at_a_time:
                    folded = await fold(self._pool, self._topic, {number: commands[:size]})
            except NOT_YET as error:
                # Fewer of them may be without conflict; or they need what another partition has.
                if size > 1 and not isinstance(error, NotYetError):
                    size = max(min(size, len(commands)) // 2, 1)
                else:
                    await self._wait(number, error, waits)
                    waits += 1
            except asyncpg.QueryCanceledError:  # it took too long
                if size == 1:
                    raise
                _log.info("took too long, fewer at a time", partition=number, commands=size)
                size = size_max = max(min(size, len(commands)) // 2, 1)
            except FOLDED_AGAIN as error:
                _log.info("conflict, folding again", error=repr(error))
                raise OvertakenError from error
            else:
                self._progressed()
                del commands[: folded[number]]
                size, waits = min(2 * size, size_max), 0

    async def _wait(self, number: int, why: Exception, waits: int) -> None:
        # For ever: another worker may have to decide something first.
        if waits % WAITS_PER_WARNING == WAITS_PER_WARNING - 1:
            _log.warning(f"{self.published.name(number)}: waits for other partitions: {why}")
        if self._waited_s() > self._together_after_s:
            await self._together()
        else:
            await asyncio.sleep(NOT_YET_INTERVAL_S)

    async def _together(self) -> None:
        """Where partitions only get in each other's way: fold what comes next in all of them at once.

        A patient may have left one doctor for another more than once: then no partition can be folded
        first, but all can be up to where nothing is in conflict. It does not matter whose they are: events
        are facts, and the fence tells the others.
        """
        async with self._one_at_a_time:
            if self._waited_s() < self._together_after_s:
                return
            async with self._ahead.use() as consumer:
                await self._fold_together(consumer)

    async def _fold_together(self, consumer: AIOKafkaConsumer) -> None:
        size = TOGETHER_COMMANDS_MIN
        for _ in range(CONFLICTS_MAX):
            ahead = [await self._next(consumer, number, size) for number in range(EVENTS_TOPIC.partitions)]
            try:
                await fold(
                    self._pool,
                    self._topic,
                    {number: commands for number, commands in enumerate(ahead) if commands},
                )
            except NOT_YET:
                if all(len(commands) < size for commands in ahead):
                    self._together_after_s *= 2  # it takes decisions, or events that are nowhere yet
                    return
                size *= 4
            except (OvertakenError, *FOLDED_AGAIN):
                await asyncio.sleep(NOT_YET_INTERVAL_S)
            else:
                self._progressed()
                return

    async def _next(self, consumer: AIOKafkaConsumer, number: int, count: int) -> Commands:
        """Up to so many commands that a partition has on the topic, and not in the database."""
        partition = TopicPartition(self._events, number)
        position = await self.published.position(number)
        event_count = position.event_count
        events, found = EventsInOrder(self.published.name(number), event_count), list[Recorded]()
        end = (await consumer.end_offsets([partition]))[partition]
        commands: Commands = []
        with contextlib.suppress(MisconfiguredError):  # its owner reports it
            records_on = self.published.authentic(consumer, position, event_count, end)
            async with contextlib.aclosing(records_on) as portions:
                async for records in portions:
                    found += events.take_all(records)
                    commands = by_command(found)
                    if len(commands) > count:
                        break  # the last one may have more events
        return commands[:count]

    def _waited_s(self) -> float:
        return asyncio.get_running_loop().time() - self._progress_s

    def _progressed(self) -> None:
        self._progress_s = asyncio.get_running_loop().time()
        self._together_after_s = TOGETHER_AFTER_S
