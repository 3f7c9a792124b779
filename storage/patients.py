"""The patient directory: profiles, each encrypted under its patient's own key."""

import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from infra import clock
from infra.batcher import Coalesced
from infra.crypto.sealing import KEY_ID_BYTES, NONCE_BYTES, VERSION, Column, DataKey
from infra.errors import ClinicError, TransientError
from infra.keys import Keys, epoch_of
from infra.postgres import Connection
from infra.queries import load_queries
from storage import mail_address
from storage.notices import SQL as NOTICES
from storage.profiles import Language, Profile, open_profile, seal_profile
from storage.search_terms import terms_of

REASON = Column("booking.appointments", "reason", "reason")
FORGOTTEN = "patient_forgotten"
"""Names events and commands that come of a forgetting: theirs are the same ids each time."""

MARK_BYTES = len(VERSION) + KEY_ID_BYTES + NONCE_BYTES

_SQL = load_queries(Path(__file__).with_suffix(".sql"))


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered patient."""

    id: UUID
    profile: Profile
    created_at: datetime


class AddressTakenError(ClinicError):
    """Another patient has the mail address."""


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
        if await self.find_by_address(profile.email) is not None:
            return None
        data_key, wrapped = self._keys.new_data_key(patient_id)
        epoch = epoch_of(wrapped)
        sealed = seal_profile(data_key, patient_id, profile)
        try:
            inserted: UUID | None = await self._pool.fetchval(
                _SQL["add"],
                patient_id,
                self._address_index(profile.email, epoch),
                wrapped,
                epoch,
                sealed,
                clock.now(),
                self._keys.search_terms(terms_of(profile), epoch),
                made_of(wrapped, sealed),
            )
        except asyncpg.ForeignKeyViolationError:
            raise TransientError("the storage key is being replaced, or is not registered yet") from None
        return inserted

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
        """The patient with this mail address.

        A patient whom an earlier release registered may have an index by that release's comparison. It is
        replaced, so that it blocks no other address. If two addresses are equal by today's comparison, the
        spelling decides.
        """
        wanted = mail_address.comparable(email)
        rows = await self._pool.fetch(
            "SELECT * FROM people.patients WHERE address_index = ANY($1)",
            self._keys.address_indexes({wanted, mail_address.formerly_comparable(email)}),
        )
        found = []
        for row in rows:
            registered = self._opened(row)
            assert registered is not None, "the row of a forgotten patient has no index"
            todays = self._address_index(registered.profile.email, epoch_of(row["data_key"]))
            if row["address_index"] != todays:
                await self._reindex(registered.id, row["address_index"], todays)
            if mail_address.comparable(registered.profile.email) == wanted:
                found.append(registered)
        return min(found, key=lambda registered: registered.profile.email != email, default=None)

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
            try:
                await connection.execute(
                    _SQL["change"],
                    patient_id,
                    sealed,
                    self._address_index(profile.email, epoch),
                    self._keys.search_terms(terms_of(profile), epoch),
                    made_of(row["data_key"], sealed),
                )
            except asyncpg.UniqueViolationError:
                raise AddressTakenError from None
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

    async def _reindex(self, patient_id: UUID, formerly: bytes, todays: bytes) -> None:
        # Not if another patient has it: two addresses may be equal by today's comparison only.
        with contextlib.suppress(asyncpg.UniqueViolationError):
            await self._pool.execute(
                "UPDATE people.patients SET address_index = $3 WHERE id = $1 AND address_index = $2",
                patient_id,
                formerly,
                todays,
            )

    def _address_index(self, email: str, epoch: int) -> bytes:
        return self._keys.address_index(mail_address.comparable(email), epoch)

    def _opened(self, row: asyncpg.Record | None) -> Registered | None:
        return None if row is None else opened(self._keys, row)


def opened(keys: Keys, row: asyncpg.Record) -> Registered:
    """The patient of a row, who is not forgotten."""
    data_key = keys.unwrap(row["id"], row["data_key"])
    return Registered(row["id"], open_profile(data_key, row["id"], row["profile"]), row["created_at"])


def made_of(wrapped: bytes, sealed: bytes) -> bytes:
    """The mark of the data key and the profile that a patient's search terms were made of.

    It begins as they do: with their keys' ids and nonces, which no other one has.
    """
    return wrapped[:MARK_BYTES] + sealed[:MARK_BYTES]
