"""Catch up with the events: what stands on `booking.events.v1` beyond the database is folded into it.

After a restore from a backup, or into an empty database, the topic knows more than the database does. The
events are the facts: they are folded, not decided again; what the commands' log holds behind the last of them
is decided then. Workers do so before they decide anything (`all_caught_up`), and `clinic replay rebuild`.

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

from booking_worker import sql
from booking_worker.event_log import EventsInOrder, SharedConsumer, last_event, read_on, start_consumer
from booking_worker.folding import Commands, NotYetError, OvertakenError, fold
from booking_worker.recorded import Recorded, by_command
from booking_worker.same_topic import AnotherTopicError
from contracts.topics import EVENTS
from infra.errors import MisconfiguredError
from infra.kafka import bounds, topic_name
from infra.postgres import CONFLICTS
from infra.settings import Settings

TRANSACTION_COMMANDS_MAX = 500
# Where the topic is longer than the events are many: repeats, or missing events. More repeats than this
# are not looked through whole; the last ones tell, unless their publisher was killed among them.
TAIL_MAX = 5_000
TAIL_MIN = 10
# An event of another partition has to come first: its fold takes about as long.
NOT_YET_INTERVAL_S = 0.02
WAITS_PER_WARNING = 500
TOGETHER_AFTER_S = 0.1
TOGETHER_COMMANDS_MIN = 50

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
        patience_s: float | None = None,
    ) -> None:
        """`topic` and its id are the commands'; `pool` has `sql.SESSION`.

        `patience_s` is how long a partition waits for the others to get on; None: for ever, as a worker has
        to, where another one may have to decide something first.
        """
        self._pool = pool
        self._topic = topic
        self._topic_id = topic_id
        self._events = topic_name(settings, EVENTS)
        self._patience_s = patience_s
        # Several at a time are in each other's way more than they gain.
        self._one_at_a_time = asyncio.Lock()
        self._progress_s = 0.0
        self._together_after_s = TOGETHER_AFTER_S
        start = partial(start_consumer, settings, f"{name} catch-up", EVENTS)
        # Two, as they are at different places of the same partitions.
        self._log, self._ahead = SharedConsumer(start), SharedConsumer(start)

    def connected(self) -> contextlib.AbstractAsyncContextManager[AIOKafkaConsumer]:
        """While inside, no `run` has to wait for a connection to the topic."""
        return self._log.use()

    async def run(self, number: int) -> None:
        """Fold what a partition is missing.

        Its owner decides nothing in it meanwhile; if somebody does, or folds it as well, that is noticed, and
        nothing is folded twice.

        Raises:
            MisconfiguredError: the topic and the database contradict each other, or events are missing.
            KafkaError, OUTAGES: a server is away; what was folded stands.
        """
        while True:
            position = await self._position(number)
            if position["topic_id"] != self._topic_id:
                raise AnotherTopicError(f"{self._topic}, partition {number}")
            if not await self._is_behind(number, position["event_count"], position["published_count"]):
                return
            with contextlib.suppress(OvertakenError):
                count = await self._fold(number, position["event_count"])
                _log.info("caught up", partition=number, events=count)
                return

    async def _position(self, number: int) -> asyncpg.Record:
        position = await self._pool.fetchrow(sql.OPEN, self._topic, number, self._topic_id)
        assert position is not None, "it was inserted or is there"
        return position

    async def _is_behind(self, number: int, event_count: int, published_count: int) -> bool:
        place, first = TopicPartition(self._events, number), max(event_count - 1, 0)
        async with self._log.use() as consumer:
            begin, end = await bounds(consumer, place)
            if begin > first or end < published_count:
                raise MisconfiguredError(
                    f"{self._name(number)}: the database has {event_count} events, {published_count} of them "
                    f"published, and the topic goes from {begin} to {end}: events are missing."
                )
            whole = end - first <= TAIL_MAX
            tail = read_on(consumer, place, max(end - TAIL_MAX, min(first, end - TAIL_MIN), 0), end)
            last = last_event([record async for records in tail for record in records])
        if last is None:
            return not whole
        if last.event.sequence > event_count:
            # Unless somebody decided in it meanwhile: what is on the topic by now was committed before.
            return bool(last.event.sequence > (await self._position(number))["event_count"])
        await self._check_same(number, last)
        return not whole and last.event.sequence < published_count

    async def _check_same(self, number: int, one: Recorded) -> None:
        known = await self._pool.fetchval(
            "SELECT event_id FROM booking.events WHERE partition = $1 AND sequence = $2",
            *(number, one.event.sequence),
        )
        if known != one.event.id:
            raise MisconfiguredError(
                f"{self._name(number)}: event {one.event.sequence} on the topic is not the one in the "
                "database: they tell different histories."
            )

    async def _fold(self, number: int, event_count: int) -> int:
        """From the last event that both have, to the end of the topic as it is now. Returns how many."""
        place, start = TopicPartition(self._events, number), max(event_count - 1, 0)
        events, todo = EventsInOrder(self._name(number), start), list[Recorded]()
        self._progressed()
        async with self._log.use() as consumer:
            end = (await consumer.end_offsets([place]))[place]
            async for records in read_on(consumer, place, start, end):
                taken = [one for record in records if (one := events.take(record)) is not None]
                if taken and taken[0].event.sequence == event_count:
                    await self._check_same(number, taken.pop(0))
                todo += taken
                # The last command may have more events.
                commands = by_command(todo)
                todo = commands.pop() if commands else []
                await self._fold_commands(number, commands)
        if todo:
            await self._fold_commands(number, [todo])
        return events.last - event_count

    async def _fold_commands(self, number: int, commands: Commands) -> None:
        size, waits = TRANSACTION_COMMANDS_MAX, 0
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
            except CONFLICTS as error:
                _log.info("conflict, folding again", error=repr(error))
            else:
                self._progressed()
                del commands[: folded[number]]
                size, waits = min(2 * size, TRANSACTION_COMMANDS_MAX), 0

    async def _wait(self, number: int, why: Exception, waits: int) -> None:
        waited_s = self._waited_s()
        said = f"{self._name(number)}: waits for other partitions: {why}"
        if self._patience_s is not None and waited_s > self._patience_s:
            raise MisconfiguredError(f"{said}. None of them gets on.")
        if waits % WAITS_PER_WARNING == WAITS_PER_WARNING - 1:
            _log.warning(said)
        if waited_s > self._together_after_s:
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
        while True:
            ahead = [await self._next(consumer, number, size) for number in range(EVENTS.partitions)]
            try:
                await fold(self._pool, self._topic, {n: some for n, some in enumerate(ahead) if some})
            except NOT_YET:
                if all(len(some) < size for some in ahead):
                    self._together_after_s *= 2  # it takes decisions, or events that are nowhere yet
                    return
                size *= 4
            except (OvertakenError, *CONFLICTS):
                continue
            else:
                self._progressed()
                return

    async def _next(self, consumer: AIOKafkaConsumer, number: int, count: int) -> Commands:
        """Up to so many commands that a partition has on the topic, and not in the database."""
        place = TopicPartition(self._events, number)
        event_count = (await self._position(number))["event_count"]
        events, found = EventsInOrder(self._name(number), event_count), list[Recorded]()
        end = (await consumer.end_offsets([place]))[place]
        commands: Commands = []
        with contextlib.suppress(MisconfiguredError):  # whoever owns it says so
            async with contextlib.aclosing(read_on(consumer, place, event_count, end)) as portions:
                async for records in portions:
                    found += [one for record in records if (one := events.take(record)) is not None]
                    commands = by_command(found)
                    if len(commands) > count:
                        break  # the last one may have more events
        return commands[:count]

    def _waited_s(self) -> float:
        return asyncio.get_running_loop().time() - self._progress_s

    def _progressed(self) -> None:
        self._progress_s = asyncio.get_running_loop().time()
        self._together_after_s = TOGETHER_AFTER_S

    def _name(self, number: int) -> str:
        return f"{self._events}, partition {number}"
