"""A partition's recorded events, command by command: from the topic, held against the database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord

from booking_worker.event_log import EventsInOrder
from booking_worker.recorded import Recorded, by_command, decision_of
from contracts.dead_letters import UndecodableError
from infra.errors import MisconfiguredError
from ops.replay.elsewhere import COLUMNS, from_row
from ops.replay.redeciding import Finding

ROWS_AT_ONCE = 1_000
# Of these the database tells the same as each command's first event.
DECISION = 'command_id, command_type, fingerprint, state, reason, count, partition, "offset", decided_at'


@dataclass(frozen=True)
class Position:
    """A partition's progress, as the database had it when the replay began."""

    partition: int
    next_offset: int = 0
    event_count: int = 0
    published_count: int = 0


class RecordedEvents:
    """Reads a partition's events once, and notes what differs between topic and database."""

    def __init__(
        self, pool: asyncpg.Pool, position: Position, records: AsyncIterator[list[ConsumerRecord]]
    ) -> None:
        """`records` are the topic's, up to where it ended no later than `position` was read."""
        self.findings: list[Finding] = []
        self.commands = 0
        self.unpublished = 0
        self._pool = pool
        self._position = position
        self._records = records
        self._last = 0

    async def by_command(self) -> AsyncIterator[list[Recorded]]:
        """The events of each decision together, in order. What is not published yet comes from the table."""
        todo: list[Recorded] = []
        async for some in self._in_order():
            commands = by_command(todo + some)
            # The last one may have more events.
            todo = commands.pop() if commands else []
            for command in commands:
                self.commands += 1
                yield command
        if todo:
            self.commands += 1
            yield todo
        await self._check_number_of_decisions()

    async def _in_order(self) -> AsyncIterator[list[Recorded]]:
        events = EventsInOrder("the events' topic", 0)
        try:
            async for records in self._records:
                taken = [one for record in records if (one := events.take(record)) is not None]
                known = [one for one in taken if one.row.sequence <= self._position.event_count]
                if len(known) < len(taken):
                    self._note("the topic has an event that the database has not", taken[-1])
                await self._compare(known)
                self._last += len(known)
                yield known
        except MisconfiguredError as error:
            self._note(f"the topic: {error}")
        async for rest in self._not_on_the_topic():
            yield rest

    async def _not_on_the_topic(self) -> AsyncIterator[list[Recorded]]:
        complete = not self.findings
        while self._last < self._position.event_count:
            rows = await self._rows(
                self._last + 1, min(self._last + ROWS_AT_ONCE, self._position.event_count)
            )
            if complete and self._last < self._position.published_count:
                self._note(f"event {self._last + 1} counts as published, and the topic ends before it")
                complete = False
            try:
                some = [from_row(row) for row in rows]
            except UndecodableError as error:
                self._note(f"an event in the database cannot be read: {error}")
                return
            if [one.row.sequence for one in some] != list(range(self._last + 1, self._last + len(some) + 1)):
                some = []
            if not some:
                self._note(f"event {self._last + 1} is missing in the database")
                return
            self.unpublished += len(some)
            self._last += len(some)
            await self._compare_decisions(some)
            yield some

    async def _compare(self, events: list[Recorded]) -> None:
        if not events:
            return
        rows = await self._rows(events[0].row.sequence, events[-1].row.sequence)
        by_sequence = {row["sequence"]: tuple(row) for row in rows}
        for one in events:
            row = by_sequence.get(one.row.sequence)
            if row != tuple(one.row):
                self._note("topic and database differ", one, f"{row or 'not in the database'}", f"{one.row}")
        await self._compare_decisions(events)

    async def _compare_decisions(self, events: list[Recorded]) -> None:
        first = {one.event.context.command_id: one for command in by_command(events) for one in command[:1]}
        rows = await self._pool.fetch(
            f"SELECT {DECISION} FROM booking.decisions WHERE command_id = ANY($1)",  # noqa: S608 (ours)
            list(first),
        )
        stored: dict[UUID, tuple[object, ...]] = {row["command_id"]: tuple(row) for row in rows}
        for id_, one in first.items():
            decision, context = decision_of(one.event.context, one.event.fact), one.event.context
            refusal = decision.refusal
            expected = (
                *(id_, context.command_type, decision.fingerprint, decision.state.value),
                *(refusal and refusal.reason.value, refusal and refusal.count),
                *(decision.partition, decision.offset, decision.decided_at),
            )
            if stored.get(id_) != expected:
                was = f"{stored.get(id_) or 'not in the database'}"
                self._note("the decision in the database is not the event's", one, was, f"{expected}")

    async def _check_number_of_decisions(self) -> None:
        count = await self._pool.fetchval(
            'SELECT count(*) FROM booking.decisions WHERE partition = $1 AND "offset" < $2',
            *(self._position.partition, self._position.next_offset),
        )
        if count != self.commands:
            self._note(f"the database has {count} decisions, and there are events of {self.commands}")

    async def _rows(self, first: int, last: int) -> list[asyncpg.Record]:
        query = f"""
            SELECT {COLUMNS} FROM booking.events
            WHERE partition = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence
        """  # noqa: S608 (columns are ours)
        return list(await self._pool.fetch(query, self._position.partition, first, last))

    def _note(self, what: str, one: Recorded | None = None, recorded: str = "", decided: str = "") -> None:
        context = one.event.context if one else None
        self.findings.append(
            Finding(
                self._position.partition,
                context.source.offset if context else None,
                context.command_id if context else None,
                f"event {one.row.sequence}: {what}" if one else what,
                recorded,
                decided,
            )
        )
