"""What one transaction reads and writes, for the commands of one partition or of several.

Four round trips for a batch of bookings, whatever its size: begin, fence and load, write, commit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from booking_worker import sql
from booking_worker.deciding import Batch
from contracts.doctors import VISIT_MINUTES_MAX
from contracts.events import TimeBlocked
from infra.postgres import Connection
from scheduling.rows import VISIT_TYPES, WEEKLY_HOURS, appointment_from_row, doctor_from_row
from scheduling.state import Appointment, Doctor

# A visit that could be in the way of one after `now` began no longer ago than this.
VISIT_MAX = timedelta(minutes=VISIT_MINUTES_MAX)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch has to see besides its doctors.

    `times` has the doctor, the wanted time with its buffers, and a start that no visit in its way is behind.
    """

    command_ids: list[UUID]
    times: list[tuple[UUID, datetime, datetime, datetime]]
    patient_ids: set[UUID]
    earliest_now: datetime


class Position(NamedTuple):
    """A partition's progress."""

    partition: int
    topic_id: UUID
    next_offset: int
    event_count: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The partitions' progress, locked, and what was wanted."""

    positions: dict[int, Position]
    decided: set[UUID]
    appointments: list[Appointment]


async def fence(connection: Connection, topic: str, partitions: list[int]) -> None:
    """Lock the partitions' progress and nothing more: for a batch that has to lock appointments next."""
    await connection.execute(sql.FENCE, topic, partitions)


async def fence_and_load(connection: Connection, topic: str, partitions: list[int], wanted: Wanted) -> Loaded:
    """Lock the partitions' progress and read in the same statement.

    Where the lock had to be waited for, what was read may be older than the progress: the caller compares
    `next_offset` with what it left behind, and loads again if somebody else moved it.
    """
    row = await connection.fetchrow(
        sql.FENCE_AND_LOAD,
        *(topic, partitions, wanted.command_ids),
        *_columns(wanted.times, 4),
        *(list(wanted.patient_ids), wanted.earliest_now - VISIT_MAX),
    )
    assert row is not None, "the position was opened before"
    found = {entry["id"]: entry for entry in (*row["in_the_way"], *row["of_patients"])}
    return Loaded(
        {entry[0]: Position(*entry) for entry in row["positions"]},
        set(row["decided"]),
        [appointment_from_row(entry) for entry in found.values()],
    )


async def lock_appointments(connection: Connection, ids: Iterable[UUID]) -> list[Appointment]:
    """The appointments, whoever's they are, locked in the order of their ids."""
    rows = await connection.fetch(
        "SELECT * FROM booking.appointments WHERE id = ANY($1) ORDER BY id FOR UPDATE", list(ids)
    )
    return [appointment_from_row(row) for row in rows]


async def booked_within(
    connection: Connection, away: Sequence[tuple[UUID, datetime, datetime]]
) -> list[Appointment]:
    """The doctors' booked appointments that begin, or may not have ended, within the times; locked."""
    rows = await connection.fetch(sql.IN_TIME_OFF, *_columns(away, 3), VISIT_MAX)
    return [appointment_from_row(row) for row in rows]


async def load_doctors(connection: Connection, ids: Iterable[UUID]) -> list[Doctor]:
    """The doctors with these ids, where they exist."""
    rows = await connection.fetch("SELECT * FROM booking.doctor_books WHERE id = ANY($1)", list(ids))
    return [doctor_from_row(row) for row in rows]


async def write(
    connection: Connection,
    topic: str,
    batch: Batch,
    moved: Sequence[tuple[int, int, int, int]],
    existing: set[UUID],
    *,
    make_room: bool = False,
) -> None:
    """Write what the batch came to, and move the positions.

    `moved` has partition, next offset, event count and published count; `existing` are the appointments that
    have a row. With `make_room`, only how things are in the end has to be without conflict, not each row's
    change on the way there.

    Raises:
        asyncpg.ExclusionViolationError: a time was taken meanwhile by another partition.
        asyncpg.UniqueViolationError: a command with the same id was decided meanwhile by another partition.
        asyncpg.SerializationError: an appointment was changed meanwhile by another partition.
    """
    touched = [batch.book.appointments[id_] for id_ in batch.appointments]
    # One order for all partitions, so that they wait for each other rather than deadlock.
    touched.sort(key=lambda appointment: (appointment.patient_id, appointment.visit.starts))
    if changed := [one for one in touched if one.id in existing]:
        if make_room:
            await connection.execute(sql.FREE, [one.id for one in changed])
        versions, status = [batch.versions[one.id] for one in changed], "no_show" if make_room else "booked"
        done = await connection.execute(
            sql.UPDATE_APPOINTMENTS, *_columns(map(_update_row, changed), 11), versions, status
        )
        if done != f"UPDATE {len(changed)}":
            # It was read as being in the way, and changed by another partition before it was locked.
            raise asyncpg.SerializationError(f"appointments have changed meanwhile: {done} of {len(changed)}")
    if batch.doctors:
        doctors = [batch.book.doctors[id_] for id_ in sorted(batch.doctors)]
        await connection.execute(sql.UPSERT_DOCTORS, *_columns(map(_doctor_row, doctors), 8))
    if batch.time_off:
        await _write_time_off(connection, batch)
    await connection.execute(
        sql.WRITE,
        *(topic, *_columns(moved, 4)),
        *_columns(map(_decision_row, zip(batch.decisions, batch.command_types, strict=True)), 9),
        *_columns(batch.events, 10),
        *_columns((_insert_row(one) for one in touched if one.id not in existing), 14),
        *_columns(sorted(batch.calendars.items()), 2),
    )


async def _write_time_off(connection: Connection, batch: Batch) -> None:
    blocked = [fact for fact in batch.time_off.values() if isinstance(fact, TimeBlocked)]
    unblocked = [fact.time_off_id for fact in batch.time_off.values() if not isinstance(fact, TimeBlocked)]
    if blocked:
        rows = (
            (fact.time_off_id, fact.doctor_id, fact.starts_at, fact.ends_at, fact.note) for fact in blocked
        )
        await connection.execute(sql.INSERT_TIME_OFF, *_columns(rows, 5))
    if unblocked:
        await connection.execute("DELETE FROM booking.time_off WHERE id = ANY($1)", unblocked)


def _columns(rows: Iterable[Sequence[Any]], width: int) -> Iterable[Sequence[Any]]:
    return list(zip(*rows, strict=True)) or [()] * width


def _decision_row(entry: tuple[Any, str]) -> Sequence[Any]:
    decision, command_type = entry
    refusal = decision.refusal
    return (
        decision.command_id,
        command_type,
        decision.fingerprint,
        decision.state,
        refusal and refusal.reason,
        refusal and refusal.count,
        decision.partition,
        decision.offset,
        decision.decided_at,
    )


def _insert_row(appointment: Appointment) -> Sequence[Any]:
    return (
        appointment.id,
        appointment.doctor_id,
        appointment.patient_id,
        appointment.visit_type,
        appointment.visit.starts,
        appointment.visit.ends,
        appointment.occupied.starts,
        appointment.occupied.ends,
        appointment.status,
        appointment.version,
        appointment.booked_at,
        appointment.cancelled_by,
        appointment.cancel_reason,
        appointment.reason,
    )


def _update_row(appointment: Appointment) -> Sequence[Any]:
    row = list(_insert_row(appointment))
    del row[13], row[10], row[2]
    return row


def _doctor_row(doctor: Doctor) -> Sequence[Any]:
    return (
        doctor.id,
        doctor.name,
        doctor.specialty,
        doctor.time_zone,
        doctor.active,
        VISIT_TYPES.dump_json(doctor.visit_types).decode(),
        doctor.policy.model_dump_json(),
        WEEKLY_HOURS.dump_json(doctor.hours).decode(),
    )
