"""Free slots, remembered as long as nothing they depend on changes.

An answer depends on the doctor's calendar, whose version every writer raises in its own transaction, and on
the time: slots fall under the minimum notice and come within the horizon. So a remembered answer is good if
the version is still the same (one small query, shared by all who ask at once) and its time is not over.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from contracts.refusals import Reason
from infra import clock
from ingress.coalesce import Coalesced
from ingress.problems import invalid, not_found
from ingress.views import AvailabilityView, DayView, SlotView, local
from scheduling.calendar import Interval, days
from scheduling.rows import doctor_from_row
from scheduling.slots import free_slots, visit_at, why_not_now
from scheduling.state import Doctor, OccupiedTimes

REMEMBERED_MAX = 2_000
# No visit with its buffers is longer, and no zone further from UTC.
MARGIN = timedelta(days=2)
DEFAULT_PERIOD = timedelta(days=13)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: local dates, both inclusive; the first visit type where none is named."""

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


class AvailabilityCache:
    """Answers availability queries."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._versions: Coalesced[UUID, int] = Coalesced(self._fetch_versions)
        self._remembered: OrderedDict[Query, Answer] = OrderedDict()

    async def answer(self, query: Query) -> Answer:
        """The free slots, as they are now.

        Raises:
            Problem: 404 for an unknown doctor, 422 for a visit type that the doctor does not offer.
        """
        version = await self._versions.get(query.doctor_id)
        if version is None:
            raise not_found()
        known = self._remembered.get(query)
        now = clock.now()
        if known is not None and known.calendar_version == version and now < known.good_until:
            self._remembered.move_to_end(query)
            return known
        fresh = await self._compute(query, now)
        self._remembered[query] = fresh
        self._remembered.move_to_end(query)
        while len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return fresh

    async def _fetch_versions(self, doctor_ids: list[UUID]) -> dict[UUID, int]:
        rows = await self._pool.fetch(
            "SELECT doctor_id, version FROM booking.calendar_versions WHERE doctor_id = ANY($1)", doctor_ids
        )
        return {row["doctor_id"]: row["version"] for row in rows}

    async def _compute(self, query: Query, now: datetime) -> Answer:
        first = query.starts_on or now.date()
        last = query.ends_on or first + DEFAULT_PERIOD
        from_ = datetime.combine(first, time.min, UTC) - MARGIN
        until = datetime.combine(last, time.max, UTC) + MARGIN
        # One statement, one snapshot: the version belongs to exactly these bookings.
        row = await self._pool.fetchrow(
            """
            SELECT b.*, taken.ids, taken.times
            FROM booking.doctor_books b
            CROSS JOIN LATERAL (
                SELECT array_agg(a.id) AS ids, array_agg(a.occupied) AS times
                FROM booking.appointments a
                WHERE a.doctor_id = b.id AND a.starts_at > $2 AND a.starts_at < $3 AND a.status = 'booked'
            ) taken
            WHERE b.id = $1
            """,
            *(query.doctor_id, from_, until),
        )
        assert row is not None, "a doctor has a calendar version and is never removed"
        occupied = OccupiedTimes()
        for appointment_id, times in zip(row["ids"] or (), row["times"] or (), strict=True):
            occupied.add(Interval(times.lower, times.upper), appointment_id)
        return _answer(query, doctor_from_row(row), occupied, row["calendar_version"], now)


def _answer(
    query: Query, doctor: Doctor, occupied: OccupiedTimes, calendar_version: int, now: datetime
) -> Answer:
    zone = ZoneInfo(doctor.time_zone)
    today = now.astimezone(zone).date()
    starts_on = query.starts_on or today
    ends_on = query.ends_on or starts_on + DEFAULT_PERIOD
    visit_type = doctor.visit_type(query.visit_type) if query.visit_type else doctor.visit_types[0]
    if visit_type is None:
        raise invalid("/visit_type", Reason.UNKNOWN_VISIT_TYPE, "The doctor does not offer this visit type.")
    good_until = datetime.combine(today + timedelta(days=1), time.min, zone).astimezone(UTC)
    views = []
    for day in days(starts_on, ends_on):
        slots = []
        for starts_at in free_slots(doctor, visit_type, day, occupied) if doctor.active else ():
            offered, changes_at = _offered(doctor, starts_at, now)
            if changes_at >= now:
                good_until = min(good_until, changes_at)
            if offered:
                ends_at = visit_at(starts_at, visit_type).ends
                slots.append(SlotView(starts_at=local(starts_at, zone), ends_at=local(ends_at, zone)))
        views.append(DayView(date=day.isoformat(), slots=slots))
    view = AvailabilityView(
        doctor_id=doctor.id,
        time_zone=doctor.time_zone,
        visit_type=visit_type.code,
        starts_on=starts_on.isoformat(),
        to=ends_on.isoformat(),
        days=views,
    )
    body = view.model_dump_json(by_alias=True).encode()
    return Answer(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', calendar_version, good_until)


def _offered(doctor: Doctor, starts_at: datetime, now: datetime) -> tuple[bool, datetime]:
    """Whether a patient may take the free slot now, and when the clock alone next changes that."""
    match why_not_now(doctor, starts_at, now):
        case Reason.TOO_FAR_AHEAD:
            return False, starts_at - timedelta(days=doctor.policy.horizon_days)
        case None if starts_at > now:
            return True, starts_at - timedelta(minutes=doctor.policy.min_notice_minutes)
        case _:
            return False, starts_at
