"""The stored form of the state: rows of `booking.doctor_books` and `booking.appointments` to state."""

import json
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from pydantic import TypeAdapter

from contracts.doctors import Policy, VisitTypes, WeeklyHours
from contracts.events import CancelledBy
from scheduling.calendar import Interval
from scheduling.state import Appointment, Doctor, Status, TimeOff


class Row(Protocol):
    """A database row: values by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


VISIT_TYPES: TypeAdapter[VisitTypes] = TypeAdapter(VisitTypes)
WEEKLY_HOURS: TypeAdapter[WeeklyHours] = TypeAdapter(WeeklyHours)


def doctor_from_row(row: Row) -> Doctor:
    """A doctor from a row of `booking.doctor_books`, JSON columns as text."""
    return Doctor(
        id=row["id"],
        name=row["name"],
        specialty=row["specialty"],
        time_zone=row["time_zone"],
        active=row["active"],
        visit_types=VISIT_TYPES.validate_json(row["visit_types"]),
        policy=Policy.model_validate_json(row["policy"]),
        hours=WEEKLY_HOURS.validate_json(row["hours"]),
        time_off=tuple(
            TimeOff(UUID(id_), Interval(_instant(starts_at), _instant(ends_at)), note)
            for id_, starts_at, ends_at, note in json.loads(row["time_off"])
        ),
    )


def appointment_from_row(row: Row) -> Appointment:
    """An appointment from a row of `booking.appointments`."""
    return Appointment(
        id=row["id"],
        doctor_id=row["doctor_id"],
        patient_id=row["patient_id"],
        visit_type=row["visit_type"],
        visit=Interval(row["starts_at"], row["ends_at"]),
        occupied=Interval(row["occupied"].lower, row["occupied"].upper),
        status=Status(row["status"]),
        version=row["version"],
        booked_at=row["booked_at"],
        cancelled_by=None if row["cancelled_by"] is None else CancelledBy(row["cancelled_by"]),
        cancel_reason=row["cancel_reason"],
        reason=row["reason"],
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
