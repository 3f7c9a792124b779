"""What deciding a partition again needs to know of the others, from `booking.events`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from booking_worker.deciding import NewEvent
from booking_worker.recorded import Recorded
from contracts.envelope import decode_event, event_headers
from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    DoctorRegistered,
    DoctorUpdated,
    OutcomeRecorded,
)
from scheduling.calendar import Interval
from scheduling.evolve import evolve
from scheduling.state import Appointment, Book, Doctor, Status

CHANGES = tuple(
    fact.__name__
    for fact in (AppointmentBooked, AppointmentRescheduled, AppointmentCancelled, OutcomeRecorded)
)
COLUMNS = "partition, sequence, event_id, type, key, subject, command_id, decided_at, traceparent, data"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an appointment: where it is recorded, and what the appointment is after it."""

    partition: int
    sequence: int
    at: datetime
    after: Appointment


def from_row(row: Any) -> Recorded:
    """An event from its row in `booking.events`.

    Raises:
        UndecodableError: it is none.
    """
    event = NewEvent(**row)
    headers = event_headers(
        *(event.event_id, event.type, event.decided_at, event.subject, event.sequence, event.traceparent)
    )
    return Recorded(decode_event(event.data.encode(), headers), event)


class Elsewhere:
    """Look-ups for one partition after the other."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._doctors: dict[UUID, list[Doctor]] | None = None

    async def changes(self, ids: Iterable[UUID]) -> dict[UUID, list[Change]]:
        """All that ever happened to these appointments, in order, whichever partitions it is recorded in."""
        rows = await self._pool.fetch(
            f"""
            SELECT {COLUMNS} FROM booking.events
            WHERE subject = ANY($1) AND subject <> key AND type = ANY($2)
            """,  # noqa: S608 (columns are ours)
            *([str(id_) for id_ in ids], CHANGES),
        )
        found = [from_row(row) for row in rows]
        # An outcome leaves the version as it is, and is the last.
        found.sort(key=lambda one: (_version(one), isinstance(one.event.fact, OutcomeRecorded)))
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
        self, patient_id: UUID, visit: Interval, partition: int, sequence: int, moving: UUID | None
    ) -> bool:
        """Whether the patient had another visit at that time which event `sequence` can have met.

        How the partitions' decisions were interleaved is recorded nowhere. So it can have met what was
        booked elsewhere at any time, unless this partition's own events say that it was over before or
        began after.
        """
        ids = await self._pool.fetch(
            "SELECT id FROM booking.appointments WHERE patient_id = $1 AND id IS DISTINCT FROM $2",
            *(patient_id, moving),
        )
        for changes in (await self.changes(row["id"] for row in ids)).values():
            for number, change in enumerate(changes):
                ended = changes[number + 1] if number + 1 < len(changes) else None
                if (
                    change.after.status is Status.BOOKED
                    and change.after.visit.overlaps(visit)
                    and not (change.partition == partition and change.sequence >= sequence)
                    and not (ended and ended.partition == partition and ended.sequence < sequence)
                ):
                    return True
        return False

    async def doctors(self, doctor_id: UUID) -> Sequence[Doctor]:
        """The doctor with each policy that it ever had."""
        if self._doctors is None:
            self._doctors = await self._all_doctors()
        return self._doctors.get(doctor_id, ())

    async def _all_doctors(self) -> dict[UUID, list[Doctor]]:
        rows = await self._pool.fetch(
            f"SELECT {COLUMNS} FROM booking.events WHERE type = ANY($1) ORDER BY partition, sequence",  # noqa: S608
            [DoctorRegistered.__name__, DoctorUpdated.__name__],
        )
        book, doctors = Book(), defaultdict[UUID, list[Doctor]](list)
        for row in rows:
            event = from_row(row).event
            assert isinstance(event.fact, DoctorRegistered), "that is what was asked for"
            if isinstance(event.fact, DoctorUpdated) and event.fact.doctor_id not in book.doctors:
                continue
            evolve(book, event.fact, event.context.decided_at)
            doctor = book.doctors[event.fact.doctor_id]
            if all(doctor.policy != known.policy for known in doctors[doctor.id]):
                doctors[doctor.id].append(doctor)
        return doctors

    async def decided_elsewhere(self, command_id: UUID, partition: int) -> bool:
        """Whether a command of this id was decided in another partition: a key used for several doctors."""
        found = await self._pool.fetchval(
            "SELECT true FROM booking.decisions WHERE command_id = $1 AND partition <> $2",
            *(command_id, partition),
        )
        return bool(found)


def _version(one: Recorded) -> int:
    version: int = one.event.fact.version  # type: ignore[union-attr]
    return version
