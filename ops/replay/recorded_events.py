"""A partition's recorded events by command: read from the topic, compared with the database."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
from aiokafka import ConsumerRecord

from booking_worker.recovery.event_log import EventsInOrder
from booking_worker.recovery.recorded_event import Recorded, by_command, decision_of
from contracts.dead_letters import UndecodableError
from infra.errors import MisconfiguredError
from ops.replay.other_partitions import COLUMNS, from_row
from ops.replay.redecide import Finding
from storage.positions import Position
from storage.rows import DECISION_COLUMNS

ROWS_AT_ONCE = 1_000
# The database and each command's first event must agree on these.
DECISION = ", ".join(DECISION_COLUMNS)


class RecordedEvents:
    """Reads a partition's events once, and records differences between topic and database."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        position: Position,
        records: AsyncIterator[list[ConsumerRecord]],
        first: int = 0,
    ) -> None:
        """`records` are those of the topic, up to its end at or before the time when `position` was read.

        Events of commands before the offset `first` are not compared.
        """
        self.findings: list[Finding] = []
        self.commands = 0
        self.unpublished = 0
        self._pool = pool
        self._position = position
        self._records = records
        self._first = first
        self._last = 0

    async def by_command(self) -> AsyncIterator[list[Recorded]]:
        """The events of each decision together, in order. Unpublished events come from the table."""
        todo: list[Recorded] = []
        async for events in self._in_order():
            commands = by_command(todo + events)
            # The last command may have more events.
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
                taken = events.take_all(records)
                known = [event for event in taken if event.row.sequence <= self._position.event_count]
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
                events = [from_row(row) for row in rows]
            except UndecodableError as error:
                self._note(f"an event in the database cannot be read: {error}")
                return
            expected = range(self._last + 1, self._last + len(events) + 1)
            if not events or [event.row.sequence for event in events] != list(expected):
                self._note(f"event {self._last + 1} is missing in the database")
                return
            self.unpublished += len(events)
            self._last += len(events)
            await self._compare_decisions(events)
            yield events

    async def _compare(self, events: list[Recorded]) -> None:
        events = [event for event in events if event.event.context.source.offset >= self._first]
        if not events:
            return
        rows = await self._rows(events[0].row.sequence, events[-1].row.sequence)
        by_sequence = {row["sequence"]: tuple(row) for row in rows}
        for event in events:
            row = by_sequence.get(event.row.sequence)
            if row != tuple(event.row):
                stored = f"{row or 'not in the database'}"
                self._note("topic and database differ", event, stored, f"{event.row}")
        await self._compare_decisions(events)

    async def _compare_decisions(self, events: list[Recorded]) -> None:
        first = {event.event.context.command_id: event for event, *_ in by_command(events)}
        rows = await self._pool.fetch(
            f"SELECT {DECISION} FROM booking.decisions WHERE command_id = ANY($1)",  # noqa: S608 (ours)
            list(first),
        )
        stored: dict[UUID, tuple[object, ...]] = {row["command_id"]: tuple(row) for row in rows}
        for id_, recorded in first.items():
            context = recorded.event.context
            decision = decision_of(context, recorded.event.fact)
            refusal = decision.refusal
            expected = (
                id_,
                context.command_type,
                decision.fingerprint,
                str(decision.state),
                refusal and str(refusal.reason),
                refusal and refusal.count,
                decision.partition,
                decision.offset,
                decision.decided_at,
            )
            if stored.get(id_) != expected:
                was = f"{stored.get(id_) or 'not in the database'}"
                self._note("the decision in the database is not the event's", recorded, was, f"{expected}")

    async def _check_number_of_decisions(self) -> None:
        count = await self._pool.fetchval(
            'SELECT count(*) FROM booking.decisions WHERE partition = $1 AND "offset" < $2',
            self._position.partition,
            self._position.next_offset,
        )
        if count != self.commands:
            self._note(f"the database has {count} decisions, and there are events of {self.commands}")

    async def _rows(self, first: int, last: int) -> list[asyncpg.Record]:
        query = f"""
            SELECT {COLUMNS} FROM booking.events
            WHERE partition = $1 AND sequence BETWEEN $2 AND $3 ORDER BY sequence
        """  # noqa: S608 (columns are ours)
        return list(await self._pool.fetch(query, self._position.partition, first, last))

    def _note(
        self, problem: str, event: Recorded | None = None, recorded: str = "", decided: str = ""
    ) -> None:
        context = event.event.context if event else None
        self.findings.append(
            Finding(
                self._position.partition,
                context.source.offset if context else None,
                context.command_id if context else None,
                f"event {event.row.sequence}: {problem}" if event else problem,
                recorded,
                decided,
            )
        )
