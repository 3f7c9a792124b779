"""The trail's monthly partitions: there before an entry needs them."""

import asyncio
from collections.abc import Iterable
from datetime import date, datetime

import asyncpg

AHEAD = 2


class Months:
    """Makes the partitions of `audit.entries`, each once."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._made: set[tuple[int, int]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def ensure(self, instants: Iterable[datetime]) -> None:
        """Make the months that hold these instants (UTC).

        On a connection of its own, committed at once: a month made in a transaction that is rolled back
        would be remembered here and not be there.
        """
        wanted = {(instant.year, instant.month) for instant in instants} - self._made
        for year, month in sorted(wanted):
            async with self._one_at_a_time:
                await self._pool.execute("SELECT audit.make_month($1)", date(year, month, 1))
            self._made.add((year, month))

    async def ensure_ahead(self, now: datetime) -> None:
        """Make this month and the next ones."""
        self.forget()
        months = [_later(now, number) for number in range(AHEAD + 1)]
        await self.ensure(months)

    def forget(self) -> None:
        """Take nothing for granted: a month may have been dropped meanwhile."""
        self._made.clear()


def _later(now: datetime, months: int) -> datetime:
    years, month = divmod(now.month - 1 + months, 12)
    return now.replace(year=now.year + years, month=month + 1, day=1)
