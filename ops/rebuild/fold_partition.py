"""One partition of a rebuild, in a process of its own: its events are copied, and folded in memory."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections import Counter
from ctypes import Array, c_longlong
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from aiokafka import TopicPartition

from booking_worker.decide.decision_batch import DecisionBatch
from booking_worker.recovery.event_log import EventsInOrder
from booking_worker.recovery.published_events import PublishedEvents
from booking_worker.recovery.recorded_event import Recorded, blocked_by, by_command, decision_of
from contracts.events import TimeBlocked
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.reader import SharedConsumer, bounds, start_consumer
from infra.postgres import Connection
from infra.settings import Settings
from ops.connections import database, quiet
from ops.rebuild.fresh_schema import copy
from scheduling.state import Book
from storage.authentic_events import AuthenticEvents
from storage.positions import Position
from storage.rows import (
    APPOINTMENT_COLUMNS,
    DECISION_COLUMNS,
    DOCTOR_COLUMNS,
    TIME_OFF_COLUMNS,
    EventRow,
    appointment_row,
    decision_row,
    doctor_row,
    time_off_row,
)


@dataclass
class FoldedPartition:
    """A partition after it was folded: its events, and the offset after the last command that made one.

    `elsewhere`: events about appointments that another partition had before, in order; they are copied, and
    not folded. `calendars` counts the changes of each doctor's calendar.
    """

    partition: int
    events: int = 0
    next_offset: int = 0
    elsewhere: list[Recorded] = field(default_factory=list)
    calendars: Counter[UUID] = field(default_factory=Counter)


_progress: "Array[c_longlong]"


def begin(progress: "Array[c_longlong]") -> None:
    """Prepare a process. `progress` has the number of folded events of each partition."""
    global _progress
    _progress = progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it comes to the parent as well, which ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # the book only grows: it would be looked through again and again, for a fifth of the time
    quiet()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "only in a process of its own"
    parent.join()
    os._exit(1)


def fold_partition(settings: Settings, position: Position) -> FoldedPartition:
    """Fold all events of a partition into the fresh tables. `position` is the one that the book has.

    Raises:
        ClinicError: a server is unavailable, or the topic is not complete.
    """
    return asyncio.run(_fold(settings, position))


async def _fold(settings: Settings, position: Position) -> FoldedPartition:
    number, topic = position.partition, topic_name(settings, EVENTS_TOPIC)
    start = partial(start_consumer, settings, "clinic-rebuild", EVENTS_TOPIC)
    log = SharedConsumer(start)
    dsn = settings.postgres_dsn.get_secret_value()
    async with database(dsn, "clinic-rebuild") as pool, pool.acquire() as connection, log.use() as consumer:
        published = PublishedEvents(
            log, SharedConsumer(start), topic, pool, topic_name(settings, COMMANDS_TOPIC), position.topic_id,
            AuthenticEvents(EventMac.load(settings), compare_repeats=False),
        )  # fmt: skip
        events, folding = EventsInOrder(published.name(number), 0), Folding(number)
        begins, ends = await bounds(consumer, TopicPartition(topic, number))
        todo: list[Recorded] = []
        async with contextlib.aclosing(published.authentic(consumer, position, begins, ends)) as portions:
            async for records in portions:
                todo += events.take_all(records)
                # The last command may have more events.
                commands = by_command(todo)
                todo = commands.pop() if commands else []
                await folding.add(connection, commands)
                _progress[number] = folding.folded.events
        await folding.add(connection, [todo] if todo else [])
        _progress[number] = folding.folded.events
        return await folding.finish(connection)


class Folding:
    """Copies the events and decisions of a partition as they come, and what they came to at the end."""

    def __init__(self, partition: int) -> None:
        self.folded = FoldedPartition(partition)
        self._batch = DecisionBatch(Book(), {})

    async def add(self, connection: Connection, commands: list[list[Recorded]]) -> None:
        """Fold these commands, which come next."""
        batch = self._batch
        for command in commands:
            event, _ = command[0]
            batch.add_decision(decision_of(event.context, event.fact), event.context.command_type)
            for recorded in command:
                if blocked_by(batch.book, [recorded]):
                    batch.events.append(recorded.row)
                    self.folded.elsewhere.append(recorded)
                else:
                    batch.apply(recorded.event.fact, recorded.row)
            self.folded.events = command[-1].row.sequence
            self.folded.next_offset = event.context.source.offset + 1
        decisions = map(decision_row, batch.decisions, batch.command_types)
        await copy(connection, "decisions", DECISION_COLUMNS, decisions)
        await copy(connection, "events", EventRow._fields, batch.events)
        for copied in (batch.decisions, batch.command_types, batch.events):
            copied.clear()

    async def finish(self, connection: Connection) -> FoldedPartition:
        """Copy what all of it came to."""
        batch = self._batch
        blocked = [fact for fact in batch.time_off.values() if isinstance(fact, TimeBlocked)]
        await copy(connection, "doctors", DOCTOR_COLUMNS, map(doctor_row, batch.book.doctors.values()))
        await copy(connection, "time_off", TIME_OFF_COLUMNS, map(time_off_row, blocked))
        appointments = map(appointment_row, batch.book.appointments.values())
        await copy(connection, "appointments", APPOINTMENT_COLUMNS, appointments)
        self.folded.calendars = batch.calendars
        return self.folded
