"""Visits that no longer have their promised local time, since the time zone data have changed."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from contracts.promise import Promise
from infra import clock
from infra.postgres import is_outage
from infra.zones import zone_data_version
from scheduling.opening_hours import first_instant

_UPCOMING = """
    SELECT a.id, a.doctor_id, d.name AS doctor_name, a.version, a.starts_at, a.promised_start
    FROM booking.appointments a
    JOIN booking.doctors d ON d.id = a.doctor_id
    WHERE a.status = 'booked' AND a.starts_at > $1
    ORDER BY a.starts_at, a.id
"""
_DECIDED_WITH = """
    SELECT DISTINCT e.data ->> 'zone_data' AS version
    FROM booking.partition_progress p
    JOIN booking.events e ON e.partition = p.partition AND e.sequence = p.event_count
    WHERE p.topic = $1
"""

_log = structlog.get_logger(__name__)


class ShiftedVisit(NamedTuple):
    """A booked visit that is still to come, and whose local time is not the promised one.

    `kept_at` is the instant at which the zone's clocks now show the promised time; where they skip it, the
    first one after that.
    """

    appointment_id: UUID
    doctor_id: UUID
    doctor_name: str
    version: int
    starts_at: datetime
    promise: Promise
    kept_at: datetime


class UpcomingVisits(NamedTuple):
    """The shifted visits, and the number of those that an earlier release booked, without a promise."""

    shifted: list[ShiftedVisit]
    without_promise: int


async def upcoming_visits(pool: asyncpg.Pool) -> UpcomingVisits:
    """Compare all booked visits that are still to come with the zone data of this process."""
    shifted, without_promise = [], 0
    for row in await pool.fetch(_UPCOMING, clock.now()):
        promise = Promise.read(row["promised_start"], row["starts_at"])
        if promise is None:
            without_promise += 1
            continue
        kept_at = row["starts_at"]
        if not promise.is_kept:
            kept_at = first_instant(promise.local.replace(tzinfo=None), promise.time_zone)
        if kept_at != row["starts_at"]:
            shifted.append(
                ShiftedVisit(
                    appointment_id=row["id"],
                    doctor_id=row["doctor_id"],
                    doctor_name=row["doctor_name"],
                    version=row["version"],
                    starts_at=row["starts_at"],
                    promise=promise,
                    kept_at=kept_at,
                )
            )
    return UpcomingVisits(shifted, without_promise)


async def decided_with(pool: asyncpg.Pool, topic: str) -> set[str]:
    """The versions of the zone data that each partition's last decision was made with, where it is recorded.

    `topic` is the commands'.
    """
    rows = await pool.fetch(_DECIDED_WITH, topic)
    return {row["version"] for row in rows if row["version"] is not None}


async def warn_of_other_zone_data(pool: asyncpg.Pool, topic: str) -> None:
    """Log a warning if the last decisions were made with other zone data than this process has."""
    try:
        others = await decided_with(pool, topic) - {zone_data_version()}
        if others:
            shifted, _ = await upcoming_visits(pool)
            _log.warning(
                "the time zone data differ from those of the last decisions: see `clinic zones check`",
                zone_data=zone_data_version(),
                decided_with=sorted(others),
                visits_shifted=len(shifted),
            )
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        if not is_outage(error):
            raise
        _log.warning("the time zone data could not be compared", error=repr(error))
