"""The patients' directory: who is who, sealed under a key of each patient's own."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from infra import clock
from infra.keys import DataKey, Keys
from infra.profiles import Language, Profile, open_profile, seal_profile
from ingress.coalesce import Coalesced

# Deliberately wide (RFC 5321, section 4.1.2): whether an address works, only a mail to it tells.
ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,189}")
REASON_CONTEXT = "reason"


@dataclass(frozen=True, slots=True)
class Registered:
    """A patient as the directory knows them."""

    id: UUID
    profile: Profile
    created_at: datetime


class AddressTakenError(Exception):
    """Another patient has the mail address."""


class Patients:
    """Reads and writes `people.patients`."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys, language: Language = "en") -> None:
        """`language` is that of patients who have chosen none: the clinic's."""
        self._pool = pool
        self._keys = keys
        self._language = language
        self._known: Coalesced[UUID, bytes] = Coalesced(self._fetch_data_keys)

    async def register(self, email: str) -> UUID:
        """The id of the patient with this mail address, who is made if there is none.

        Raises:
            ValueError: that is no mail address.
        """
        email = email.strip()
        if not ADDRESS.fullmatch(email):
            raise ValueError("not a mail address")
        added = await self.add(Profile(email, language=self._language))
        if added is not None:
            return added
        known = await self.find_by_address(email)
        assert known is not None, "the address is taken, so somebody has it"
        return known.id

    async def add(self, profile: Profile, patient_id: UUID | None = None) -> UUID | None:
        """The id of a new patient, a new one unless it is given; None if the mail address has a patient."""
        patient_id = patient_id or clock.new_id()
        data_key, wrapped = self._keys.new_data_key(patient_id)
        inserted: UUID | None = await self._pool.fetchval(
            """
            INSERT INTO people.patients (id, address_index, data_key, profile, created_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (address_index) DO NOTHING
            RETURNING id
            """,
            *(patient_id, self._keys.address_index(profile.email), wrapped),
            *(seal_profile(data_key, profile), clock.now()),
        )
        return inserted

    async def data_key(self, patient_id: UUID) -> DataKey | None:
        """The key of the patient's data; None for an unknown or forgotten patient."""
        wrapped = await self._known.get(patient_id)
        return None if wrapped is None else self._keys.unwrap(patient_id, wrapped)

    async def is_known(self, patient_id: UUID) -> bool:
        """Whether there is such a patient, who was not forgotten."""
        return await self._known.get(patient_id) is not None

    async def find(self, patient_id: UUID) -> Registered | None:
        """The patient; None if unknown or forgotten."""
        return self._opened(
            await self._pool.fetchrow(
                "SELECT * FROM people.patients WHERE id = $1 AND forgotten_at IS NULL", patient_id
            )
        )

    async def find_by_address(self, email: str) -> Registered | None:
        """The patient with this mail address."""
        return self._opened(
            await self._pool.fetchrow(
                "SELECT * FROM people.patients WHERE address_index = $1", self._keys.address_index(email)
            )
        )

    async def change(self, patient_id: UUID, changed: Callable[[Profile], Profile]) -> Registered | None:
        """Change the profile to what `changed` makes of it: the patient as they are then, None if unknown.

        Two changes at a time come one after the other, so that neither undoes the other. `changed` must not
        block; what it raises is passed on, and nothing is changed.

        Raises:
            AddressTakenError: another patient has the new address.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT * FROM people.patients WHERE id = $1 AND forgotten_at IS NULL FOR UPDATE", patient_id
            )
            known = self._opened(row)
            if row is None or known is None:
                return None
            profile = changed(known.profile)
            data_key = self._keys.unwrap(patient_id, row["data_key"])
            try:
                await connection.execute(
                    "UPDATE people.patients SET profile = $2, address_index = $3 WHERE id = $1",
                    *(patient_id, seal_profile(data_key, profile), self._keys.address_index(profile.email)),
                )
            except asyncpg.UniqueViolationError:
                raise AddressTakenError from None
            return replace(known, profile=profile)

    async def forget(self, patient_id: UUID) -> None:
        """Throw away the key, and with it whatever was sealed by it, here and on the log. Idempotent."""
        await self._pool.execute(
            """
            UPDATE people.patients
            SET address_index = NULL, data_key = NULL, profile = NULL, forgotten_at = $2
            WHERE id = $1 AND forgotten_at IS NULL
            """,
            *(patient_id, clock.now()),
        )

    async def _fetch_data_keys(self, patient_ids: list[UUID]) -> dict[UUID, bytes]:
        rows = await self._pool.fetch(
            "SELECT id, data_key FROM people.patients WHERE id = ANY($1) AND data_key IS NOT NULL",
            patient_ids,
        )
        return {row["id"]: row["data_key"] for row in rows}

    def _opened(self, row: asyncpg.Record | None) -> Registered | None:
        if row is None:
            return None
        data_key = self._keys.unwrap(row["id"], row["data_key"])
        return Registered(row["id"], open_profile(data_key, row["profile"]), row["created_at"])
