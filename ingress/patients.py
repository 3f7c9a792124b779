"""The patients' directory: who is who, sealed under a key of each patient's own."""

import json
import re
from uuid import UUID

import asyncpg

from infra import clock
from infra.keys import DataKey, Keys

# Deliberately wide (RFC 5321, section 4.1.2): whether an address works, only a mail to it tells.
_ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,189}")
PROFILE_CONTEXT = "profile"
REASON_CONTEXT = "reason"


class Patients:
    """Reads and writes `people.patients`."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def register(self, email: str) -> UUID:
        """The id of the patient with this mail address, who is made if there is none.

        Raises:
            ValueError: that is no mail address.
        """
        email = email.strip()
        if not _ADDRESS.fullmatch(email):
            raise ValueError("not a mail address")
        index = self._keys.address_index(email)
        patient_id = clock.new_id()
        data_key, wrapped = self._keys.new_data_key(patient_id)
        profile = data_key.seal(json.dumps({"email": email}).encode(), PROFILE_CONTEXT)
        inserted = await self._pool.fetchval(
            """
            INSERT INTO people.patients (id, address_index, data_key, profile, created_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (address_index) DO NOTHING
            RETURNING id
            """,
            *(patient_id, index, wrapped, profile, clock.now()),
        )
        if inserted is not None:
            return patient_id
        known = await self._pool.fetchval("SELECT id FROM people.patients WHERE address_index = $1", index)
        assert isinstance(known, UUID), "the address is taken, so somebody has it"
        return known

    async def is_known(self, patient_id: UUID) -> bool:
        """Whether there is such a patient, who was not forgotten."""
        found = await self._pool.fetchval(
            "SELECT true FROM people.patients WHERE id = $1 AND forgotten_at IS NULL", patient_id
        )
        return bool(found)

    async def data_key(self, patient_id: UUID) -> DataKey | None:
        """The key of the patient's data; None for an unknown or forgotten patient."""
        wrapped = await self._pool.fetchval("SELECT data_key FROM people.patients WHERE id = $1", patient_id)
        return None if wrapped is None else self._keys.unwrap(patient_id, wrapped)
