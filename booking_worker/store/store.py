"""Reads and writes of one transaction, for the commands of one partition or of several.

Four round trips for a batch of bookings, whatever its size: begin, fence and load, write, commit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from booking_worker.decide.decision_batch import DecisionBatch
from booking_worker.decide.load_plan import LoadPlan, WantedTime
from contracts.doctors import VISIT_MINUTES_MAX
from contracts.events import TimeBlocked
from contracts.refusals import Reason
from infra.errors import ClinicError
from infra.postgres import Connection
from infra.queries import load_queries
from scheduling.state import Appointment, Doctor, Status
from storage.positions import POSITION_COLUMNS, Position
from storage.rows import (
    APPOINTMENT_COLUMNS,
    APPOINTMENT_TYPE,
    DECISION_COLUMNS,
    DOCTOR_COLUMNS,
    TIME_OFF_COLUMNS,
    EventRow,
    appointment_from_row,
    appointment_row,
    decision_row,
    doctor_from_row,
    doctor_row,
    time_off_row,
)

# For the plans of the statements, see `queries.sql`.
SESSION = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "plan_cache_mode": "force_generic_plan",
    # A worker that freezes inside its transaction must not keep the next owner from going on. While asyncpg
    # prepares a statement (Parse and Flush, without Sync) it is not idle, so a second limit holds in any
    # state: below the minute after which the next owner gives up.
    "idle_in_transaction_session_timeout": "5s",
    "transaction_timeout": "45s",
}
# A visit that could conflict with one after `now` began no longer ago than this.
VISIT_MAX = timedelta(minutes=VISIT_MINUTES_MAX)
REFUSALS_OF_CONSTRAINTS = {"slot_taken": Reason.SLOT_TAKEN, "patient_busy": Reason.PATIENT_BUSY}
"""The refusal that a violation of one of the exclusion constraints of `booking.appointments` stands for."""

statements = load_queries(
    Path(__file__).with_name("queries.sql"),
    appointment_type=APPOINTMENT_TYPE,
    appointment_columns=", ".join(APPOINTMENT_COLUMNS),
    appointment_changes=", ".join(f"{column} = u.{column}" for column in APPOINTMENT_COLUMNS),
    decision_columns=", ".join(DECISION_COLUMNS),
    event_columns=", ".join(EventRow._fields),
    doctor_columns=", ".join(DOCTOR_COLUMNS),
    doctor_changes=", ".join(f"{column} = excluded.{column}" for column in DOCTOR_COLUMNS),
    time_off_columns=", ".join(TIME_OFF_COLUMNS),
    position_columns=POSITION_COLUMNS,
)


class AppointmentsChangedError(ClinicError):
    """Another partition changed an appointment after it was read: decide again."""


class NewPosition(NamedTuple):
    """Where a partition stands after the transaction; the attributes of `booking.position_row`."""

    partition: int
    next_offset: int
    event_count: int
    published_count: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The partitions' positions, locked, and what the plan asked for."""

    positions: dict[int, Position]
    decided: set[UUID]
    appointments: list[Appointment]


async def fence_and_load(connection: Connection, topic: str, partitions: list[int], plan: LoadPlan) -> Loaded:
    """Lock the partitions' positions and read in the same statement.

    Where the lock had to be waited for, what was read may be older than the positions: the caller compares
    `next_offset` with the one it left behind, and loads again if another worker moved it.
    """
    row = await connection.fetchrow(
        statements["fence_and_load"],
        topic,
        partitions,
        plan.command_ids,
        plan.times,
        list(plan.patient_ids),
        plan.earliest_now - VISIT_MAX,
    )
    assert row is not None, "the positions were opened before"
    found = {entry["id"]: entry for entry in (*row["conflicting"], *row["of_patients"])}
    return Loaded(
        positions={entry[0]: Position.of(entry) for entry in row["positions"]},
        decided=set(row["decided"]),
        appointments=[appointment_from_row(entry) for entry in found.values()],
    )


async def lock_appointments(connection: Connection, ids: Iterable[UUID]) -> list[Appointment]:
    """These appointments, of any partition, locked in the order of their ids."""
    return [
        appointment_from_row(row)
        for row in await connection.fetch(statements["lock_appointments"], list(ids))
    ]


async def lock_booked_within(connection: Connection, times: Sequence[WantedTime]) -> list[Appointment]:
    """The doctors' booked appointments that begin, or may not have ended, within the times; locked."""
    rows = await connection.fetch(statements["lock_booked_within"], times, VISIT_MAX)
    return [appointment_from_row(row) for row in rows]


async def load_doctors(connection: Connection, ids: Iterable[UUID]) -> list[Doctor]:
    """The doctors with these ids, where they exist."""
    rows = await connection.fetch(statements["load_doctors"], list(ids))
    return [doctor_from_row(row) for row in rows]


async def write(
    connection: Connection,
    topic: str,
    batch: DecisionBatch,
    positions: Sequence[NewPosition],
    existing: set[UUID],
    *,
    make_room: bool = False,
) -> None:
    """Write what the batch came to, and move the positions. `existing`: the appointments that have a row.

    With `make_room`, only how things are in the end has to be without conflict, not each row's change on the
    way there.

    Raises:
        asyncpg.ExclusionViolationError: another partition took a time meanwhile.
        asyncpg.UniqueViolationError: another partition decided a command with the same id meanwhile.
        AppointmentsChangedError: another partition changed an appointment meanwhile.
    """
    touched = [batch.book.appointments[id_] for id_ in batch.appointments]
    # One order for all partitions, so that they wait for each other rather than deadlock.
    touched.sort(key=lambda appointment: (appointment.patient_id, appointment.visit.starts))
    if changed := [appointment for appointment in touched if appointment.id in existing]:
        await _update(connection, batch, changed, make_room)
    if batch.doctors:
        doctors = [doctor_row(batch.book.doctors[id_]) for id_ in sorted(batch.doctors)]
        await connection.execute(statements["upsert_doctors"], doctors)
    if batch.time_off:
        await _write_time_off(connection, batch)
    await connection.execute(
        statements["write"],
        topic,
        positions,
        [decision_row(*entry) for entry in zip(batch.decisions, batch.command_types, strict=True)],
        batch.events,
        [appointment_row(appointment) for appointment in touched if appointment.id not in existing],
        sorted(batch.calendars.items()),
    )


async def _update(
    connection: Connection, batch: DecisionBatch, changed: list[Appointment], make_room: bool
) -> None:
    if make_room:
        await connection.execute(statements["make_room"], [appointment.id for appointment in changed])
    before = [batch.before[appointment.id] for appointment in changed]
    done = await connection.execute(
        statements["update_appointments"],
        [appointment_row(appointment) for appointment in changed],
        [known.version for known in before],
        [Status.NO_SHOW if make_room and known.status is Status.BOOKED else known.status for known in before],
    )
    if done != f"UPDATE {len(changed)}":
        raise AppointmentsChangedError(f"{done} of {len(changed)}")


async def _write_time_off(connection: Connection, batch: DecisionBatch) -> None:
    facts = batch.time_off.values()
    if blocked := [time_off_row(fact) for fact in facts if isinstance(fact, TimeBlocked)]:
        await connection.execute(statements["insert_time_off"], blocked)
    if unblocked := [fact.time_off_id for fact in facts if not isinstance(fact, TimeBlocked)]:
        await connection.execute(statements["delete_time_off"], unblocked)
