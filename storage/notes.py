"""Notes of staff about patients, each sealed under its patient's own key."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from infra.crypto.sealing import Column
from infra.queries import load_queries, where
from storage.patients import Patients

CONTENT = Column("people.notes", "content", None)

_SQL = load_queries(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class Note:
    """A note. `written_by` is the id of a member of staff."""

    id: UUID
    patient_id: UUID
    text: str
    written_by: UUID
    written_at: datetime


class Notes:
    """Reads and writes `people.notes`."""

    def __init__(self, pool: asyncpg.Pool, patients: Patients) -> None:
        self._pool = pool
        self._patients = patients

    async def add(self, note: Note) -> bool:
        """Keep a new note; False if one with this id is there, or the patient is unknown or forgotten."""
        data_key = await self._patients.data_key(note.patient_id)
        if data_key is None:
            return False
        sealed = data_key.seal(note.text.encode(), CONTENT, note.id)
        added = await self._pool.fetchval(
            _SQL["add"], note.id, note.patient_id, note.written_by, note.written_at, sealed
        )
        return added is not None

    async def find(self, note_id: UUID) -> Note | None:
        """The note; None if there is none, or its patient is forgotten."""
        row = await self._pool.fetchrow(_SQL["find"], note_id)
        return None if row is None else next(iter(await self.opened(row["patient_id"], [row])), None)

    async def of(
        self, patient_id: UUID, limit: int, before: tuple[datetime, UUID] | None = None
    ) -> list[Note]:
        """A patient's notes, the newest first, at most `limit`; `before`: older than the one of that time and
        id. None of a patient who is unknown or forgotten."""
        asked, values = where({"patient_id = {}": patient_id, "(written_at, id) < ({}, {})": before})
        rows = await self._pool.fetch(
            f"SELECT * FROM people.notes {asked} "  # noqa: S608 - our own words
            f"ORDER BY written_at DESC, id DESC LIMIT {limit}",
            *values,
        )
        return await self.opened(patient_id, rows)

    async def opened(self, patient_id: UUID, rows: Iterable[asyncpg.Record]) -> list[Note]:
        """The notes of these rows, all of one patient; none if the patient is forgotten."""
        data_key = await self._patients.data_key(patient_id)
        if data_key is None:
            return []
        return [
            Note(
                row["id"],
                patient_id,
                data_key.open(row["content"], CONTENT, row["id"]).decode(),
                row["written_by"],
                row["written_at"],
            )
            for row in rows
        ]
