"""Finds patients by mail address, and sees to it that no two have the same one.

A row has 12 bits of a keyed hash of its address, which other patients share: they only choose whose profiles
are opened and compared. Until the first epoch after an upgrade, it has the whole hash as well: that is all
that the last release writes, and finds patients by (`people.key_epochs.whole_indexes`).
"""

import contextlib
from pathlib import Path
from uuid import UUID

import asyncpg

from infra.errors import ClinicError
from infra.keys import Keys, epoch_of
from infra.postgres import Connection
from infra.queries import load_queries
from storage import mail_address
from storage.profiles import Registered, opened

_SQL = load_queries(Path(__file__).with_suffix(".sql"))


class AddressTakenError(ClinicError):
    """Another patient has the mail address."""


class PatientAddresses:
    """The mail addresses of the patients."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    def indexes(self, email: str, epoch: int) -> tuple[int, bytes]:
        """What a row of this epoch has for a mail address: `address_bucket` and `address_index`."""
        address = mail_address.comparable(email)
        indexes = self._keys.indexes
        return indexes.address_bucket(address, epoch), indexes.address_index(address, epoch)

    async def find(self, email: str) -> Registered | None:
        """The patient with this mail address.

        A patient whom an earlier release registered may have an index by that release's comparison. It is
        replaced, so that it blocks no other address. If two addresses are equal by today's comparison, the
        spelling decides.
        """
        found = []
        buckets = self._keys.indexes.address_buckets(mail_address.comparable(email))
        # All are opened: the answer takes no longer for an address that is a patient's.
        for row in await self._candidates(self._pool, email, buckets):
            registered = opened(self._keys, row)
            if (formerly := row["address_index"]) is not None:
                _, todays = self.indexes(registered.profile.email, epoch_of(row["data_key"]))
                if formerly != todays:
                    await self._reindex(registered.id, formerly, todays)
            if mail_address.is_same(registered.profile.email, email):
                found.append(registered)
        return min(
            found,
            key=lambda registered: (registered.profile.email != email, registered.created_at),
            default=None,
        )

    async def take(self, connection: Connection, email: str, patient_id: UUID) -> int:
        """Keep the address from everybody else until the connection's transaction ends.

        Returns the newest epoch whose key was here to look with: if there is a newer one, somebody may have
        the address in that.

        Raises:
            AddressTakenError: another patient has it.
        """
        address = mail_address.comparable(email)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", self._keys.address_lock(address))
        buckets = self._keys.indexes.address_buckets(address)
        for row in await self._candidates(connection, email, buckets):
            taken = mail_address.is_same(opened(self._keys, row).profile.email, email)
            if taken and row["id"] != patient_id:
                raise AddressTakenError
        return max(buckets)

    async def _candidates(
        self, executor: asyncpg.Pool | Connection, email: str, buckets: dict[int, int]
    ) -> list[asyncpg.Record]:
        spellings = {mail_address.comparable(email), mail_address.formerly_comparable(email)}
        indexes = self._keys.indexes.address_indexes(spellings)
        return list(
            await executor.fetch(_SQL["candidates"], list(buckets), list(buckets.values()), list(indexes))
        )

    async def _reindex(self, patient_id: UUID, formerly: bytes, todays: bytes) -> None:
        # Not if another patient has it: two addresses may be equal by today's comparison only.
        with contextlib.suppress(asyncpg.UniqueViolationError):
            await self._pool.execute(_SQL["reindex"], patient_id, formerly, todays)
