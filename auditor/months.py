"""The monthly partitions of the trail, created before an entry needs them."""

import asyncio
from collections.abc import Iterable
from datetime import date, datetime

import asyncpg

AHEAD = 2


class Months:
    """Creates the partitions of `audit.entries`, each once."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._created: set[tuple[int, int]] = set()
        self._lock = asyncio.Lock()

    async def ensure(self, instants: Iterable[datetime]) -> None:
        """Create the months of these instants (UTC).

        On a separate connection, committed at once: a month created in a transaction that is rolled back
        would be remembered here although it does not exist.
        """
        missing = {(instant.year, instant.month) for instant in instants} - self._created
        for year, month in sorted(missing):
            async with self._lock:
                await self._pool.execute("SELECT audit.make_month($1)", date(year, month, 1))
            self._created.add((year, month))

    async def ensure_ahead(self, now: datetime) -> None:
        """Create this month and the next ones."""
        self.forget()
        months = [_later(now, number) for number in range(AHEAD + 1)]
        await self.ensure(months)

    def forget(self) -> None:
        """Forget which months exist: one may have been dropped since."""
        self._created.clear()


def _later(now: datetime, months: int) -> datetime:
    years, month = divmod(now.month - 1 + months, 12)
    return now.replace(year=now.year + years, month=month + 1, day=1)
