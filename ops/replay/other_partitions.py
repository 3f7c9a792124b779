"""The state of other partitions that deciding a partition again needs, looked up in `booking.events`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from booking_worker.recovery.recorded_event import Recorded
from contracts.cloudevents import decode_known_event
from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    DoctorFact,
    DoctorRegistered,
    DoctorUpdated,
    OutcomeRecorded,
)
from scheduling.evolve import evolve
from scheduling.opening_hours import Interval
from scheduling.state import Appointment, Book, Doctor, Status
from storage.rows import EventRow

CHANGES = tuple(
    fact.__name__
    for fact in (AppointmentBooked, AppointmentRescheduled, AppointmentCancelled, OutcomeRecorded)
)
COLUMNS = ", ".join(EventRow._fields)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an appointment: its event's position, and the appointment after it."""

    partition: int
    sequence: int
    at: datetime
    after: Appointment


def from_row(row: Any) -> Recorded:
    """An event from its row in `booking.events`.

    Raises:
        UndecodableError: the row is not a valid event.
    """
    event = EventRow(**row)
    return Recorded(decode_known_event(event.message()), event)


class OtherPartitions:
    """Look-ups in the events of all partitions."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._doctors: dict[UUID, list[Doctor]] | None = None

    async def changes(self, ids: Iterable[UUID]) -> dict[UUID, list[Change]]:
        """All changes of these appointments in any partition, in order."""
        rows = await self._pool.fetch(
            f"""
            SELECT {COLUMNS} FROM booking.events
            WHERE subject = ANY($1) AND subject <> key AND type = ANY($2)
            """,  # noqa: S608 (columns are ours)
            [str(id_) for id_ in ids],
            CHANGES,
        )
        found = [from_row(row) for row in rows]
        # Earlier releases left the version as it was when they recorded an outcome, the last change.
        found.sort(key=lambda change: (_version(change), isinstance(change.event.fact, OutcomeRecorded)))
        book, changes = Book(), defaultdict[UUID, list[Change]](list)
        for event, row in found:
            id_ = UUID(row.subject)
            if isinstance(event.fact, AppointmentBooked) or id_ in book.appointments:
                evolve(book, event.fact, event.context.decided_at)
                changes[id_].append(
                    Change(row.partition, row.sequence, row.decided_at, book.appointments[id_])
                )
        return changes

    async def clash(
        self, patient_id: UUID, visit: Interval, moving: UUID | None, partition: int, sequence: int
    ) -> bool:
        """True if event `sequence` may have seen another booked visit of the patient at that time.

        Another partition may have booked it at any time. This partition's own events tell if it began later
        or had ended before.
        """
        ids = await self._pool.fetch(
            "SELECT id FROM booking.appointments WHERE patient_id = $1 AND id IS DISTINCT FROM $2",
            patient_id,
            moving,
        )
        return any(
            change.after.status is Status.BOOKED
            and change.after.visit.overlaps(visit)
            and may_be_seen(change, after, partition, sequence)
            for history in (await self.changes(row["id"] for row in ids)).values()
            for change, after in zip(history, [*history[1:], None], strict=True)
        )

    async def doctor(self, doctor_id: UUID, notice: int | None) -> Doctor | None:
        """The doctor with a policy that was once in force and had this change notice (None: any)."""
        if self._doctors is None:
            self._doctors = await self._all_doctors()
        variants = self._doctors.get(doctor_id, ())
        return next(
            (doctor for doctor in variants if notice in (None, doctor.policy.change_notice_minutes)), None
        )

    async def notices(self, doctor_id: UUID) -> set[int]:
        """The change notices that the doctor ever had."""
        if self._doctors is None:
            self._doctors = await self._all_doctors()
        return {doctor.policy.change_notice_minutes for doctor in self._doctors.get(doctor_id, ())}

    async def _all_doctors(self) -> dict[UUID, list[Doctor]]:
        rows = await self._pool.fetch(
            f"SELECT {COLUMNS} FROM booking.events WHERE type = ANY($1) ORDER BY partition, sequence",  # noqa: S608
            [DoctorRegistered.__name__, DoctorUpdated.__name__],
        )
        book, doctors = Book(), defaultdict[UUID, list[Doctor]](list)
        for row in rows:
            event = from_row(row).event
            assert isinstance(event.fact, DoctorFact), "the query selects these types"
            if isinstance(event.fact, DoctorUpdated) and event.fact.doctor_id not in book.doctors:
                continue
            evolve(book, event.fact, event.context.decided_at)
            doctor = book.doctors[event.fact.doctor_id]
            if all(doctor.policy != known.policy for known in doctors[doctor.id]):
                doctors[doctor.id].append(doctor)
        return doctors

    async def decided(self, command_id: UUID, partition: int) -> bool:
        """True if a command of this id was decided in another partition: a key used for several doctors."""
        found = await self._pool.fetchval(
            "SELECT true FROM booking.decisions WHERE command_id = $1 AND partition <> $2",
            command_id,
            partition,
        )
        return bool(found)


def may_be_seen(change: Change, after: Change | None, partition: int, sequence: int) -> bool:
    """True if a partition's event may have seen the state between two changes, by that partition's order."""
    begins_later = change.partition == partition and change.sequence >= sequence
    was_over = after is not None and after.partition == partition and after.sequence < sequence
    return not begins_later and not was_over


def _version(change: Recorded) -> int:
    version: int = change.event.fact.version  # type: ignore[union-attr]
    return version
