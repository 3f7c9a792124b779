"""The position of an export of the audit trail, and its queries."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from contracts.audit import CHAINED, Chain
from contracts.fields import Instant, StrictModel
from contracts.security import Action
from infra.queries import where
from ingress.http.parameters import bad_cursor, cursor_after, key_before

CHAIN_PARTITIONS = [(chain, number) for chain, topic in CHAINED.items() for number in range(topic.partitions)]
# Entries that one statement scans at most, however few of them match.
STRETCH_MAX = 50_000
NUMBER_DIGITS_MAX = 18


class Filters(StrictModel):
    """The filters; None is none. `since` is the first instant, `until` the first one after."""

    chain: Chain | None = None
    since: Instant | None = None
    until: Instant | None = None
    action: Action | None = None
    actor_id: UUID | None = None
    appointment_id: UUID | None = None
    doctor_id: UUID | None = None
    patient_id: UUID | None = None
    command_id: UUID | None = None


class Stretch(NamedTuple):
    """Entries of a chain: those after `after`, up to `last`."""

    chain: Chain
    partition: int
    after: int
    last: int


@dataclass
class Walk:
    """The last numbers read, by `CHAIN_PARTITIONS`, and where this walk ends; None until that is known."""

    filters: Filters
    seen: list[int]
    ends: list[int] | None = None

    @classmethod
    def begin(cls, filters: Filters) -> "Walk":
        """From the first entries on."""
        return cls(filters, [0] * len(CHAIN_PARTITIONS))

    @classmethod
    def parse(cls, cursor: str) -> "Walk":
        """Continue at a cursor.

        Raises:
            Problem: 422, it is not a cursor of this export.
        """
        text, seen, ends = key_before(cursor, 3)
        try:
            filters = Filters.model_validate_json(text)
        except ValidationError:
            raise bad_cursor() from None
        return cls(filters, _numbers(seen), _numbers(ends) if ends else None)

    def cursor(self) -> str:
        """The inverse of `parse`."""
        over = self.stretch() is None
        ends = "" if over or self.ends is None else ".".join(map(str, self.ends))
        filters = self.filters.model_dump_json(exclude_none=True)
        return cursor_after([filters, ".".join(map(str, self.seen)), ends])

    async def look(self, pool: asyncpg.Pool) -> None:
        """Set the ends of the walk to those of the chains now, unless it has them.

        Raises:
            Problem: 422, the cursor is of a trail that was longer.
        """
        sizes = [0] * len(CHAIN_PARTITIONS)
        for row in await pool.fetch("SELECT chain, partition, size FROM audit.chains"):
            chain_partition = (row["chain"], row["partition"])
            if chain_partition in CHAIN_PARTITIONS:
                sizes[CHAIN_PARTITIONS.index(chain_partition)] = row["size"]
        if any(
            seen > size or end > size
            for seen, end, size in zip(self.seen, self.ends or sizes, sizes, strict=True)
        ):
            raise bad_cursor()
        self.ends = self.ends or sizes

    def stretch(self) -> Stretch | None:
        """The entries to read next; None at the end of the walk."""
        index = self._index()
        if index is None or self.ends is None:
            return None
        after = self.seen[index]
        return Stretch(*CHAIN_PARTITIONS[index], after, min(after + STRETCH_MAX, self.ends[index]))

    def advance(self, number: int) -> None:
        """The next stretch was read up to this number."""
        index = self._index()
        assert index is not None, "there was a stretch"
        self.seen[index] = number

    def _index(self) -> int | None:
        for index, (chain, _) in enumerate(CHAIN_PARTITIONS):
            is_wanted = self.filters.chain in (None, chain)
            if is_wanted and self.ends is not None and self.seen[index] < self.ends[index]:
                return index
        return None


def _numbers(text: str) -> list[int]:
    parts = text.split(".")
    if len(parts) != len(CHAIN_PARTITIONS) or not all(
        part.isascii() and part.isdecimal() and len(part) <= NUMBER_DIGITS_MAX for part in parts
    ):
        raise bad_cursor()
    return [int(part) for part in parts]


async def read_stretch(
    pool: asyncpg.Pool, filters: Filters, stretch: Stretch, limit: int
) -> list[asyncpg.Record]:
    """The first entries of the stretch that are wanted, in order."""
    asked, values = where(
        {
            "chain = {}": stretch.chain,
            "partition = {}": stretch.partition,
            "number > {}": stretch.after,
            "number <= {}": stretch.last,
            "occurred_at >= {}": filters.since,
            "occurred_at < {}": filters.until,
            "action = {}": filters.action,
            "actor_id = {}": filters.actor_id,
            "appointment_id = {}": filters.appointment_id,
            "doctor_id = {}": filters.doctor_id,
            "patient_id = {}": filters.patient_id,
            "command_id = {}": filters.command_id,
        }
    )
    rows: list[asyncpg.Record] = await pool.fetch(
        f"SELECT number, recorded_at, hash, content FROM audit.entries {asked} "  # noqa: S608 - our own words
        f"ORDER BY number LIMIT {limit}",
        *values,
    )
    return rows
