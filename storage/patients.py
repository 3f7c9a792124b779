"""The patient directory: profiles, each encrypted under its patient's own key."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from infra import clock
from infra.batcher import Coalesced
from infra.crypto.sealing import KEY_ID_BYTES, NONCE_BYTES, VERSION, Column, DataKey
from infra.errors import TransientError
from infra.keys import Keys, epoch_of
from infra.postgres import Connection
from infra.queries import load_queries
from storage import mail_address
from storage.notices import SQL as NOTICES
from storage.patient_addresses import AddressTakenError, PatientAddresses
from storage.profiles import Language, Profile, Registered, opened, seal_profile
from storage.search_terms import terms_of

REASON = Column("booking.appointments", "reason", "reason")
FORGOTTEN = "patient_forgotten"
"""Names events and commands that come of a forgetting: theirs are the same ids each time."""

MARK_BYTES = len(VERSION) + KEY_ID_BYTES + NONCE_BYTES

_SQL = load_queries(Path(__file__).with_suffix(".sql"))


class Patients:
    """Reads and writes `people.patients`."""

    def __init__(
        self, pool: asyncpg.Pool, keys: Keys, language: Language = "en", *, smtputf8: bool = False
    ) -> None:
        """`language`: of patients who have chosen none. `smtputf8`: the clinic's mail server offers it."""
        self._pool = pool
        self._keys = keys
        self._language = language
        self._smtputf8 = smtputf8
        self._addresses = PatientAddresses(pool, keys)
        self._known: Coalesced[UUID, bytes] = Coalesced(self.wrapped_keys)

    async def register(self, email: str) -> UUID:
        """The id of the patient with this mail address, who is registered if there is none.

        Raises:
            ValueError: that is no mail address, or none that can be written to.
        """
        email = email.strip()
        known = await self.find_by_address(email)
        if known is None:
            mail_address.written(email, smtputf8=self._smtputf8)
            added = await self.add(Profile(email, language=self._language))
            if added is not None:
                return added
            known = await self.find_by_address(email)
            assert known is not None, "the address is taken, so a patient has it"
        return known.id

    async def add(self, profile: Profile, patient_id: UUID | None = None) -> UUID | None:
        """The id of a new patient, random unless given; None if another patient has the mail address."""
        patient_id = patient_id or clock.new_id()
        data_key, wrapped = self._keys.new_data_key(patient_id)
        epoch = epoch_of(wrapped)
        sealed = seal_profile(data_key, patient_id, profile)
        values = (
            patient_id,
            *self._addresses.indexes(profile.email, epoch),
            wrapped,
            epoch,
            sealed,
            clock.now(),
            self._keys.indexes.search_terms(terms_of(profile), epoch),
            made_of(wrapped, sealed),
        )
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._addresses.take(connection, profile.email, patient_id)
                if await connection.fetchval(_SQL["add"], *values):
                    return patient_id
        except (AddressTakenError, asyncpg.UniqueViolationError):
            return None
        except asyncpg.ForeignKeyViolationError:
            pass
        raise TransientError("the storage key is being replaced, or is not registered yet")

    async def data_key(self, patient_id: UUID) -> DataKey | None:
        """The key of the patient's data; None for an unknown or forgotten patient."""
        wrapped = await self._known.get(patient_id)
        return None if wrapped is None else self._keys.unwrap(patient_id, wrapped)

    async def wrapped_keys(self, patient_ids: Collection[UUID]) -> dict[UUID, bytes]:
        """The wrapped data keys of these patients, without those who are unknown or forgotten."""
        rows = await self._pool.fetch(
            "SELECT id, data_key FROM people.patients WHERE id = ANY($1) AND data_key IS NOT NULL",
            patient_ids,
        )
        return {row["id"]: row["data_key"] for row in rows}

    async def is_known(self, patient_id: UUID) -> bool:
        """True if the patient exists and was not forgotten."""
        return await self._known.get(patient_id) is not None

    async def find(self, patient_id: UUID) -> Registered | None:
        """The patient; None if unknown or forgotten."""
        return self._opened(
            await self._pool.fetchrow(
                "SELECT * FROM people.patients WHERE id = $1 AND forgotten_at IS NULL", patient_id
            )
        )

    async def find_all(self, patient_ids: Iterable[UUID]) -> list[Registered]:
        """The patients with these ids, by id, without those who are unknown or forgotten."""
        rows = await self._pool.fetch(
            "SELECT * FROM people.patients WHERE id = ANY($1) AND forgotten_at IS NULL ORDER BY id",
            list(patient_ids),
        )
        return [registered for row in rows if (registered := self._opened(row)) is not None]

    async def find_by_address(self, email: str) -> Registered | None:
        """The patient with this mail address."""
        return await self._addresses.find(email)

    async def change(
        self,
        patient_id: UUID,
        changed: Callable[[Profile], Profile],
        beside: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> Registered | None:
        """Change the profile by `changed`. Returns the changed patient, None if unknown.

        Concurrent changes are serialised, so that neither undoes the other. `changed` must not block;
        `beside` is done in the same transaction. Their exceptions propagate, and nothing is changed.

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
            if beside is not None:
                await beside(connection)
            profile = changed(known.profile)
            epoch = epoch_of(row["data_key"])
            sealed = seal_profile(self._keys.unwrap(patient_id, row["data_key"]), patient_id, profile)
            newest = None
            if not mail_address.is_same(profile.email, known.profile.email):
                newest = await self._addresses.take(connection, profile.email, patient_id)
            try:
                changed_id = await connection.fetchval(
                    _SQL["change"],
                    patient_id,
                    sealed,
                    *self._addresses.indexes(profile.email, epoch),
                    self._keys.indexes.search_terms(terms_of(profile), epoch),
                    made_of(row["data_key"], sealed),
                    newest,
                )
            except asyncpg.UniqueViolationError:
                raise AddressTakenError from None
            if changed_id is None:
                raise TransientError("the storage key is being replaced")
            return replace(known, profile=profile)

    async def is_forgotten(self, patient_id: UUID) -> bool | None:
        """True for a forgotten patient, None for an unknown id."""
        forgotten: bool | None = await self._pool.fetchval(
            "SELECT forgotten_at IS NOT NULL FROM people.patients WHERE id = $1", patient_id
        )
        return forgotten

    async def forget(
        self, patient_id: UUID, traceparent: str | None = None, *, at: datetime | None = None
    ) -> None:
        """Destroy the key, so that all data encrypted with it, also on the log, is unreadable. Idempotent.

        The forgetting is pending until the ingress has cancelled all booked appointments. `traceparent` is
        that of the request, `at` the present. Passkeys, calendar link, notes and notices are deleted.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            now = clock.now()
            await connection.execute(_SQL["forget"], patient_id, at or now, traceparent, now)
            # Statements of their own: they see what was added while the first waited for the patient's row.
            await connection.execute("DELETE FROM login.passkeys WHERE person_id = $1", patient_id)
            await connection.execute("DELETE FROM login.calendar_links WHERE owner_id = $1", patient_id)
            await connection.execute("DELETE FROM people.notes WHERE patient_id = $1", patient_id)
            await connection.execute(NOTICES["forget"], patient_id)

    def _opened(self, row: asyncpg.Record | None) -> Registered | None:
        return None if row is None else opened(self._keys, row)


def made_of(wrapped: bytes, sealed: bytes) -> bytes:
    """The mark of the data key and the profile that a patient's search terms were made of.

    It begins as they do: with their keys' ids and nonces, which no other one has.
    """
    return wrapped[:MARK_BYTES] + sealed[:MARK_BYTES]
