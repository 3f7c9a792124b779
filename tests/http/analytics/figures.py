"""Visits of known figures, and what is asked about them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from asyncpg import Range

from infra import clock
from tests.clinic import Clinic
from tests.http.asking import get

BERLIN = ZoneInfo("Europe/Berlin")
PATHS = [f"/v1/analytics/{figures}" for figures in ("utilisation", "outcomes", "lead-time")]


def at(day: str, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(hour, minute), BERLIN).astimezone(UTC)


def hours(starts: str, ends: str, first: str, last: str, weekdays: str = "1234567") -> list[dict[str, Any]]:
    """Weekly hours between two dates, so that no other test's period has them."""
    return [
        {"weekday": int(day), "starts": starts, "ends": ends, "valid_from": first, "valid_until": last}
        for day in weekdays
    ]


async def visit(
    clinic: Clinic,
    doctor_id: str,
    starts_at: datetime,
    minutes: int = 30,
    *,
    status: str = "completed",
    visit_type: str = "checkup",
    lead: timedelta = timedelta(days=1),
    cancelled_by: str | None = None,
) -> None:
    """A visit as its row, as it may be years away."""
    ends_at = starts_at + timedelta(minutes=minutes)
    await clinic.postgres.execute(
        """
        INSERT INTO booking.appointments (
            id, doctor_id, patient_id, visit_type, starts_at, ends_at, occupied, status, version, booked_at,
            cancelled_by
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10)
        """,
        clock.new_id(),
        doctor_id,
        clock.new_id(),
        visit_type,
        starts_at,
        ends_at,
        Range(starts_at, ends_at),
        status,
        starts_at - lead,
        cancelled_by,
    )


async def figures(clinic: Clinic, path: str, first: str, last: str, by: str) -> dict[str, dict[str, Any]]:
    """The items, by group."""
    found = await get(clinic.http, path, clinic.staff, from_=first, to=last, by=by)
    assert list(found) == ["from", "to", "by", "time_zone", "items"]
    assert (found["from"], found["to"], found["by"]) == (first, last, by)
    assert found["time_zone"] == "Europe/Berlin"
    by_group = {item["group"]: item for item in found["items"]}
    assert len(by_group) == len(found["items"])
    return by_group
