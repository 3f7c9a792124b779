"""Appointments become anonymous: who was not seen at the clinic for years is forgotten.

A visit's record is ids and times, on the log for good. It says whose it is as long as the patient's row does;
so it ends with that row, which is forgotten as a whole. As long as a patient comes, all their visits are one
record of treatment, whose years have not begun.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid5

import asyncpg

from contracts.commands import ActorKind, RecordedActor
from contracts.security import PatientForgotten
from infra import clock
from infra.queries import load_queries
from storage.patients import FORGOTTEN, Patients

SQL = load_queries(Path(__file__).with_suffix(".sql"))
BATCH = 100


async def present(pool: asyncpg.Pool) -> datetime | None:
    """The time of the last decision, or now if that is earlier; None before the first decision.

    A machine whose clock is years ahead must not make everybody a patient who was not seen for years.
    """
    decided_at: datetime | None = await pool.fetchval(SQL["last_decision"])
    return decided_at and min(decided_at, clock.now())


async def unseen(pool: asyncpg.Pool, years: int, at: datetime | None, limit: int | None = None) -> list[UUID]:
    """Patients who were not seen in the years before `at`, at most `limit`.

    Seen is who was registered, has an appointment, was noted something about, or did anything that the audit
    trail knows of.
    """
    if at is None:
        return []
    return [row["id"] for row in await pool.fetch(SQL["unseen"], years_before(at, years), limit)]


async def forget_unseen(
    pool: asyncpg.Pool,
    patients: Patients,
    record: Callable[[PatientForgotten], Awaitable[None]],
    years: int,
    at: datetime | None,
) -> int:
    """Forget whoever was not seen in the years before `at`: returns how many.

    Each forgetting is recorded before it is done. Idempotent; several may do it at the same time.
    """
    count = 0
    while found := await unseen(pool, years, at, BATCH):
        assert at is not None, "nobody is found without a time"
        for patient_id in found:
            await record(_event(patient_id, at))
            await patients.forget(patient_id, at=at)
        count += len(found)
    return count


async def drop_notes_of_forgotten(pool: asyncpg.Pool) -> None:
    """Delete the notes that an ingress of an earlier release left when it forgot a patient."""
    await pool.execute(SQL["drop_notes_of_forgotten"])


def years_before(at: datetime, years: int) -> datetime:
    """The same day so many years ago; the 28th for a 29 February."""
    day = min(at.day, 28) if at.month == 2 else at.day
    return at.replace(year=at.year - years, day=day)


def _event(patient_id: UUID, at: datetime) -> PatientForgotten:
    return PatientForgotten(
        event_id=uuid5(patient_id, FORGOTTEN),  # the same each time, whoever does it
        occurred_at=at,
        actor=RecordedActor(kind=ActorKind.SYSTEM, id=patient_id),
        request_id=None,
        patient_id=patient_id,
    )
