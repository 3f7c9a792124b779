"""Searches the patient directory, and keeps the terms that it is searched by."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import structlog
from cryptography.exceptions import InvalidTag

from infra.errors import MisconfiguredError
from infra.keys import Keys, epoch_of
from infra.queries import load_queries
from storage.patients import made_of
from storage.profiles import Registered, opened
from storage.search_terms import Sought, terms_of

CANDIDATES_MAX = 200
ROUNDS_MAX = 10
NOBODY = UUID(int=0)

_log = structlog.get_logger(__name__)
_SQL = load_queries(Path(__file__).with_suffix(".sql"))

Take = Callable[[Iterable[Registered | None]], Awaitable[list[Registered | None]]]


class PatientFinder:
    """Finds patients by what their profiles say, which only their own keys can read."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys
        self._unreadable: set[UUID] = set()

    async def find(
        self, sought: Sought, limit: int, after: UUID, take: Take
    ) -> tuple[list[Registered], UUID | None]:
        """Patients by id, behind the id `after`, at most `limit`; and the id to go on after, if any.

        A search whose terms many patients share ends early: fewer than `limit`, and more to come. `take`
        makes a list of items, each of which opens a profile.
        """
        groups = [self._keys.indexes.all_search_terms(terms) for terms in sought.groups()]
        found: list[Registered] = []
        if not groups:
            return found, None
        for _ in range(ROUNDS_MAX):
            rows = await self._candidates(groups, after)
            looked_at = await take(self._if_sought(row, sought) for row in rows)
            matching = [registered for registered in looked_at if registered is not None]
            if len(found) + len(matching) > limit:
                found += matching[: limit - len(found)]
                return found, found[-1].id
            found += matching
            if len(rows) < CANDIDATES_MAX:
                return found, None
            after = rows[-1]["id"]
        return found, after

    def _if_sought(self, row: asyncpg.Record, sought: Sought) -> Registered | None:
        registered = self._opened(row)
        return registered if registered is not None and sought.matches(registered.profile) else None

    def _opened(self, row: asyncpg.Record) -> Registered | None:
        """The patient of a row; None if it cannot be opened, which is no reason not to find the others."""
        try:
            return opened(self._keys, row)
        except (InvalidTag, MisconfiguredError) as error:
            _log.error("a patient's profile cannot be opened", patient_id=str(row["id"]), error=repr(error))
            return None

    async def _candidates(self, groups: Sequence[list[int]], after: UUID) -> list[asyncpg.Record]:
        has_each = " AND ".join(f"search_terms && ${number}::int[]" for number in range(3, 3 + len(groups)))
        query = _SQL["candidates"].replace("{has_each_group}", has_each)
        return list(await self._pool.fetch(query, after, CANDIDATES_MAX, *groups))

    async def index(self, limit: int) -> int:
        """Make the terms of some patients who have none, or those of another profile. Returns how many.

        Those are patients whom an earlier release registered or changed, and whose keys were wrapped again.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_SQL["without_terms"], limit, list(self._unreadable))
            for row in rows:
                registered = self._opened(row)
                if registered is None:
                    self._unreadable.add(row["id"])
                    continue
                await connection.execute(
                    _SQL["set_terms"],
                    row["id"],
                    self._keys.indexes.search_terms(terms_of(registered.profile), epoch_of(row["data_key"])),
                    made_of(row["data_key"], row["profile"]),
                )
        return len(rows)

    async def drop_indexes_of_forgotten(self) -> None:
        """Delete what an ingress of an earlier release left to find a patient by whom it forgot."""
        await self._pool.execute(_SQL["drop_indexes_of_forgotten"])
