"""Searches the patient directory, and keeps the terms that it is searched by."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from infra.keys import Keys, epoch_of
from infra.queries import load_queries
from storage.patients import Registered, made_of, opened
from storage.search_terms import Sought, terms_of

CANDIDATES_MAX = 200
ROUNDS_MAX = 10
NOBODY = UUID(int=0)

_SQL = load_queries(Path(__file__).with_suffix(".sql"))


class PatientFinder:
    """Finds patients by what their profiles say, which only their own keys can read."""

    def __init__(self, pool: asyncpg.Pool, keys: Keys) -> None:
        self._pool = pool
        self._keys = keys

    async def find(
        self, sought: Sought, limit: int, after: UUID = NOBODY
    ) -> tuple[list[Registered], UUID | None]:
        """Patients by id, behind the id `after`, at most `limit`; and the id to go on after, if any.

        A search whose terms many patients share ends early: fewer than `limit`, and more to come.
        """
        groups = [self._keys.all_search_terms(terms) for terms in sought.groups()]
        found: list[Registered] = []
        if not groups:
            return found, None
        for _ in range(ROUNDS_MAX):
            rows = await self._candidates(groups, after)
            for row in rows:
                if len(found) == limit:
                    return found, after
                after = row["id"]
                registered = opened(self._keys, row)
                if sought.matches(registered.profile):
                    found.append(registered)
            if len(rows) < CANDIDATES_MAX:
                return found, None
        return found, after

    async def _candidates(self, groups: Sequence[list[int]], after: UUID) -> list[asyncpg.Record]:
        has_each = " AND ".join(f"search_terms && ${number}::int[]" for number in range(3, 3 + len(groups)))
        query = _SQL["candidates"].replace("{has_each_group}", has_each)
        return list(await self._pool.fetch(query, after, CANDIDATES_MAX, *groups))

    async def index(self, limit: int) -> int:
        """Make the terms of some patients who have none, or those of another profile. Returns how many.

        Those are patients whom an earlier release registered or changed, and whose keys were wrapped again.
        """
        await self._pool.execute(_SQL["drop_terms_of_forgotten"])
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_SQL["without_terms"], limit)
            for row in rows:
                terms = terms_of(opened(self._keys, row).profile)
                await connection.execute(
                    _SQL["set_terms"],
                    row["id"],
                    self._keys.search_terms(terms, epoch_of(row["data_key"])),
                    made_of(row["data_key"], row["profile"]),
                )
        return len(rows)
