"""Where an export of the audit trail is, and the questions it asks of `audit.*`."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from contracts.audit import CHAINED, Chain, SignedHead
from contracts.fields import Instant, Model
from contracts.security import Action
from ingress.paging import bad_cursor, cursor_after, key_before

PLACES = [(chain, number) for chain, topic in CHAINED.items() for number in range(topic.partitions)]
# So many numbers are looked at by one statement, however few of them are wanted.
STRETCH_MAX = 50_000
NUMBER_DIGITS_MAX = 18


class Wanted(Model):
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
    """Entries of a chain to look at: those behind `after`, up to `last`."""

    chain: Chain
    partition: int
    after: int
    last: int


@dataclass
class Walk:
    """The last numbers seen, by `PLACES`, and how far this walk goes; None before it has looked."""

    wanted: Wanted
    seen: list[int]
    ends: list[int] | None = None

    @classmethod
    def begin(cls, wanted: Wanted) -> "Walk":
        """From the first entries on."""
        return cls(wanted, [0] * len(PLACES))

    @classmethod
    def parse(cls, cursor: str) -> "Walk":
        """Go on where a cursor was given out.

        Raises:
            Problem: 422, this is none.
        """
        wanted, seen, ends = key_before(cursor, 3)
        try:
            filters = Wanted.model_validate_json(wanted)
        except ValidationError:
            raise bad_cursor() from None
        return cls(filters, _numbers(seen), _numbers(ends) if ends else None)

    def cursor(self) -> str:
        """What `parse` takes."""
        over = self.stretch() is None
        ends = "" if over or self.ends is None else ".".join(map(str, self.ends))
        filters = self.wanted.model_dump_json(exclude_none=True)
        return cursor_after([filters, ".".join(map(str, self.seen)), ends])

    async def look(self, pool: asyncpg.Pool) -> None:
        """Begin a walk to where the chains end now, unless one is under way.

        Raises:
            Problem: 422, the cursor is of a trail that was longer.
        """
        sizes = [0] * len(PLACES)
        for row in await pool.fetch("SELECT chain, partition, size FROM audit.chains"):
            place = (row["chain"], row["partition"])
            if place in PLACES:
                sizes[PLACES.index(place)] = row["size"]
        if any(
            seen > size or end > size
            for seen, end, size in zip(self.seen, self.ends or sizes, sizes, strict=True)
        ):
            raise bad_cursor()
        self.ends = self.ends or sizes

    def stretch(self) -> Stretch | None:
        """What to look at next; None at the end of the walk."""
        place = self._place()
        if place is None or self.ends is None:
            return None
        after = self.seen[place]
        return Stretch(*PLACES[place], after, min(after + STRETCH_MAX, self.ends[place]))

    def advance(self, number: int) -> None:
        """The next stretch was seen, up to this number."""
        place = self._place()
        assert place is not None, "there was a stretch"
        self.seen[place] = number

    def _place(self) -> int | None:
        for place, (chain, _) in enumerate(PLACES):
            wanted = self.wanted.chain in (None, chain)
            if wanted and self.ends is not None and self.seen[place] < self.ends[place]:
                return place
        return None


def _numbers(text: str) -> list[int]:
    parts = text.split(".")
    if len(parts) != len(PLACES) or not all(
        part.isascii() and part.isdecimal() and len(part) <= NUMBER_DIGITS_MAX for part in parts
    ):
        raise bad_cursor()
    return [int(part) for part in parts]


async def read_stretch(
    pool: asyncpg.Pool, wanted: Wanted, stretch: Stretch, limit: int
) -> list[asyncpg.Record]:
    """The first entries of the stretch that are wanted, in order.

    Only what is asked stands in the statement, so that each kind of question is planned for itself.
    """
    conditions: dict[str, Any] = {
        "chain = ": stretch.chain,
        "partition = ": stretch.partition,
        "number > ": stretch.after,
        "number <= ": stretch.last,
        "occurred_at >= ": wanted.since,
        "occurred_at < ": wanted.until,
        "action = ": wanted.action,
        "actor_id = ": wanted.actor_id,
        "appointment_id = ": wanted.appointment_id,
        "doctor_id = ": wanted.doctor_id,
        "patient_id = ": wanted.patient_id,
        "command_id = ": wanted.command_id,
    }
    asked = {condition: value for condition, value in conditions.items() if value is not None}
    where = " AND ".join(f"{condition}${place}" for place, condition in enumerate(asked, start=1))
    rows: list[asyncpg.Record] = await pool.fetch(
        f"""
        SELECT number, recorded_at, hash, content FROM audit.entries
        WHERE {where} ORDER BY number LIMIT {limit}
        """,  # noqa: S608 - our own words
        *asked.values(),
    )
    return rows


async def read_heads(pool: asyncpg.Pool, chain: Chain | None) -> list[SignedHead]:
    """The newest signed head of every chain, or of the partitions of one."""
    rows = await pool.fetch(
        """
        SELECT h.* FROM audit.chains c
        CROSS JOIN LATERAL (
            SELECT * FROM audit.heads h WHERE h.chain = c.chain AND h.partition = c.partition
            ORDER BY h.size DESC LIMIT 1
        ) AS h
        WHERE $1::text IS NULL OR c.chain = $1
        ORDER BY h.chain, h.partition
        """,
        chain,
    )
    return [SignedHead.from_row(row) for row in rows]
