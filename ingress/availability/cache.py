"""Answers to availability queries, cached until something they depend on changes.

An answer depends on the doctor's calendar, whose version every writer raises in its own transaction, and on
the time: slots fall under the minimum notice and come within the horizon. So a cached answer is right if the
version is still the same (one small query, shared by all who ask at once) and its time is not over. Its days
are cached as well: a booking changes only the days near it. Whoever asks first pays for what is computed.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from pydantic_core import to_json

from contracts.refusals import Reason
from infra import clock
from infra.batcher import Coalesced
from infra.queries import load_queries
from ingress.availability.days import MARGIN, Day, KnownDays, OccupiedList, compute_days
from ingress.http.problems import Code, Problem, invalid, not_found
from ingress.request_limits.budgets import Budget
from ingress.request_limits.turns import Turns
from storage.rows import doctor_from_row

DEFAULT_PERIOD = timedelta(days=13)
# Memory of an entry beside its body, and of a day for each occupied time (measured, rounded up).
ENTRY_BYTES, OCCUPIED_BYTES = 1_000, 150

SQL = load_queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Query:
    """Local dates, both inclusive; the first visit type where none is named."""

    doctor_id: UUID
    visit_type: str | None
    starts_on: date | None
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished body, its entity tag, and until when it stays right if the calendar stays the same."""

    body: bytes
    etag: str
    calendar_version: int
    good_until: datetime


class ByteBounded:
    """The most recently used entries whose sizes add up to at most so many bytes."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable) -> Any:
        """The entry, which is now the most recently used; None if there is none."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: Hashable, entry: Any, size: int) -> None:
        """Keep the entry, unless it is too large by itself, and drop what was not used for longest."""
        if key in self._entries:
            self.bytes -= self._entries.pop(key)[1]
        if size > self._bytes_max:
            return
        self._entries[key] = (entry, size)
        self.bytes += size
        while self.bytes > self._bytes_max:
            _, (_, dropped) = self._entries.popitem(last=False)
            self.bytes -= dropped


class AvailabilityCache:
    """Answers availability queries. Equal queries at the same time are computed once."""

    def __init__(self, pool: asyncpg.Pool, bytes_max: int, turns: Turns) -> None:
        self._pool = pool
        self._versions: Coalesced[UUID, int] = Coalesced(self._fetch_versions)
        self._bytes_max = bytes_max
        self._cached = ByteBounded(bytes_max)
        self._table: int | None = None
        self._running: dict[Query, asyncio.Task[Answer]] = {}
        self._turns = turns

    async def answer(self, query: Query, budget: Budget) -> Answer:
        """The free slots, as they are now. What is computed for this is paid for out of the budget.

        Raises:
            Problem: 404 for an unknown doctor, 422 for a visit type that the doctor does not offer. 429, the
                budget is spent; the days that were computed until then are cached.
        """
        version = await self._versions.get(query.doctor_id)
        if version is None:
            raise not_found()
        known: Answer | None = self._cached.get(query)
        now = clock.now()
        if known is not None and known.calendar_version == version and now < known.good_until:
            return known
        answer = await self._of_another(query)
        # It may have begun before this query and have missed a change; one that has begun since has not.
        if answer is None or answer.calendar_version < version or clock.now() >= answer.good_until:
            answer = await self._of_another(query)
        return await asyncio.shield(self._start(query, budget)) if answer is None else answer

    async def _of_another(self, query: Query) -> Answer | None:
        """The answer to an equal query that is being computed; None if there is none."""
        while (running := self._running.get(query)) is not None:
            try:
                return await asyncio.shield(running)
            except Problem as problem:
                if problem.code is not Code.RATE_LIMITED:
                    raise
                # The budget of whoever asked is spent.
        return None

    def _start(self, query: Query, budget: Budget) -> asyncio.Task[Answer]:
        running = self._running[query] = asyncio.create_task(self._compute(query, budget))

        def end(running: asyncio.Task[Answer]) -> None:
            del self._running[query]
            if not running.cancelled():
                running.exception()  # retrieved, as the client may be gone

        running.add_done_callback(end)
        return running

    async def _fetch_versions(self, doctor_ids: list[UUID]) -> dict[UUID, int]:
        rows = await self._pool.fetch(SQL["versions"], doctor_ids)
        if rows and rows[0]["tableoid"] != self._table:
            # What is still being computed goes into the cache that is given up.
            self._table, self._cached = rows[0]["tableoid"], ByteBounded(self._bytes_max)
        return {row["doctor_id"]: row["version"] for row in rows}

    async def _compute(self, query: Query, budget: Budget) -> Answer:
        now, cached = clock.now(), self._cached
        first = query.starts_on or now.date()
        last = query.ends_on or first + DEFAULT_PERIOD
        from_ = datetime.combine(first, time.min, UTC) - MARGIN
        until = datetime.combine(last, time.max, UTC) + MARGIN
        row = await self._pool.fetchrow(SQL["calendar"], query.doctor_id, from_, until)
        assert row is not None, "a doctor has a calendar version and is never removed"
        doctor = doctor_from_row(row)
        visit_type = doctor.visit_type(query.visit_type) if query.visit_type else doctor.visit_types[0]
        if visit_type is None:
            detail = "The doctor does not offer this visit type."
            raise invalid("/visit_type", Reason.UNKNOWN_VISIT_TYPE, detail)
        zone = ZoneInfo(doctor.time_zone)
        today = now.astimezone(zone).date()
        starts_on = query.starts_on or today
        ends_on = query.ends_on or starts_on + DEFAULT_PERIOD
        definition = _definition(row, visit_type.code)
        known = KnownDays(partial(_get_day, cached, definition), partial(_put_day, cached, definition))
        occupied = OccupiedList(row["starts"] or [], row["ends"] or [])
        days = await self._turns.take(
            compute_days(doctor, visit_type, starts_on, ends_on, occupied, known, now), budget
        )
        head = to_json(
            {
                "doctor_id": doctor.id,
                "time_zone": doctor.time_zone,
                "visit_type": visit_type.code,
                "from": starts_on,
                "to": days.ends_on,
            }
        )
        body = head[:-1] + b',"days":[' + b",".join(days.bodies) + b"]}"
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        tomorrow = datetime.combine(today + timedelta(days=1), time.min, zone).astimezone(UTC)
        answer = Answer(body, etag, row["calendar_version"], min(days.good_until, tomorrow))
        cached.put(query, answer, len(body) + ENTRY_BYTES)
        return answer


def _definition(row: asyncpg.Record, visit_type: str) -> bytes:
    """A digest of everything about the doctor that free slots depend on, beside the bookings."""
    columns = ("id", "time_zone", "active", "visit_types", "policy", "hours", "time_off")
    definition = "\n".join([visit_type, *(str(row[column]) for column in columns)])
    return hashlib.sha256(definition.encode()).digest()


def _get_day(cached: ByteBounded, definition: bytes, day: date) -> Day | None:
    found: Day | None = cached.get((definition, day))
    return found


def _put_day(cached: ByteBounded, definition: bytes, day: date, computed: Day) -> None:
    size = len(computed.body) + OCCUPIED_BYTES * len(computed.occupied) + ENTRY_BYTES
    cached.put((definition, day), computed, size)
