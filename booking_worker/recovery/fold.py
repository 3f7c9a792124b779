"""One transaction that folds events: of one partition, or of several where they need each other.

A command's events are folded together. Of several partitions, only what they come to together has to be
without conflict: how their decisions were interleaved is recorded nowhere.
"""

from collections.abc import Iterable
from uuid import UUID

import asyncpg

from booking_worker.decide.decision_batch import DecisionBatch
from booking_worker.recovery.recorded_event import Recorded, apply, blocked_by
from booking_worker.store import store
from contracts.events import (
    AppointmentFact,
    DoctorFact,
    OutcomeRecorded,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
)
from infra.errors import ClinicError, MisconfiguredError
from infra.postgres import Connection
from scheduling.state import Book
from storage.positions import Position, lock_positions

Commands = list[list[Recorded]]
CHANGES = AppointmentFact | OutcomeRecorded
CHANGES_OF_DOCTORS = DoctorFact | WeeklyHoursSet | TimeBlocked | TimeUnblocked


class NotYetError(ClinicError):
    """None of the events can be folded before others are: of another partition, or not at hand."""


class OvertakenError(ClinicError):
    """Somebody else moved a position: look again."""


async def fold(pool: asyncpg.Pool, topic: str, todo: dict[int, Commands]) -> dict[int, int]:
    """Fold as many of each partition's next commands as are ready. Returns how many, by partition.

    `topic` is the commands'.

    Raises:
        NotYetError: not one is ready.
        OvertakenError: these are not the next ones.
        asyncpg.ExclusionViolationError: what they come to is in conflict with what others have now.
        MisconfiguredError: the database tells another history.
    """
    events = (event for commands in todo.values() for command in commands for event in command)
    facts = [event.event.fact for event in events]
    named = {fact.appointment_id for fact in facts if isinstance(fact, CHANGES)}
    doctors = {fact.doctor_id for fact in facts if isinstance(fact, CHANGES_OF_DOCTORS)}
    async with pool.acquire() as connection, connection.transaction():
        positions = await lock_positions(connection, topic, list(todo))
        for number, commands in todo.items():
            _check_next(topic, positions.get(number), commands[0][0])
        book = await _book(connection, doctors, named)
        existing = set(book.appointments)
        batch = DecisionBatch(book, {})
        folded = _take_ready(batch, todo)
        moved = [
            store.NewPosition(
                partition=number,
                next_offset=_next_offset(todo[number][count - 1]),
                event_count=batch.event_counts[number],
                published_count=batch.event_counts[number],
            )
            for number, count in folded.items()
        ]
        await store.write(connection, topic, batch, moved, existing, make_room=True)
    return folded


def _take_ready(batch: DecisionBatch, todo: dict[int, Commands]) -> dict[int, int]:
    """Round by round: what one partition folds may be what another waits for."""
    folded: dict[int, int] = {}
    why: dict[int, str] = {}
    before = -1
    while sum(folded.values()) != before:
        before = sum(folded.values())
        for number, commands in todo.items():
            for command in commands[folded.get(number, 0) :]:
                if reason := blocked_by(batch.book, command):
                    why[number] = f"event {command[0].row.sequence} of partition {number}: {reason}"
                    break
                apply(batch, command)
                folded[number] = folded.get(number, 0) + 1
    if not folded:
        raise NotYetError("; ".join(why.values()))
    return folded


async def _book(connection: Connection, doctors: Iterable[UUID], named: Iterable[UUID]) -> Book:
    return Book(
        await store.load_doctors(connection, doctors) if doctors else (),
        await store.lock_appointments(connection, named) if named else (),
    )


def _check_next(topic: str, position: Position | None, first: Recorded) -> None:
    if position is None or position.event_count != first.row.sequence - 1:
        raise OvertakenError
    if first.event.context.source.offset < position.next_offset:
        raise MisconfiguredError(
            f"{topic}, partition {position.partition}: event {first.row.sequence} is of a command that the "
            "database has passed without it: they tell different histories."
        )


def _next_offset(command: list[Recorded]) -> int:
    return command[0].event.context.source.offset + 1
