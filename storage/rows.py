"""Conversion between state and rows of the schema `booking`. Lists the columns of each table, once.

The columns are also the attributes of the composite type of that name, in the same order (`migrations/`).
"""

import json
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from asyncpg import Range
from pydantic import TypeAdapter

from contracts.cloudevents import event_headers
from contracts.decision import Decision
from contracts.doctors import Policy, VisitTypes, WeeklyHours
from contracts.envelope import Message
from contracts.events import CancelledBy, TimeBlocked
from contracts.fields import or_newer
from scheduling.opening_hours import Interval
from scheduling.state import Appointment, Doctor, Status, TimeOff


class Row(Protocol):
    """A database row: values by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


class EventRow(NamedTuple):
    """An event as it is stored, in the transaction of its decision, and published afterwards."""

    partition: int
    sequence: int
    event_id: UUID
    type: str
    key: str
    subject: str
    command_id: UUID
    decided_at: datetime
    traceparent: str | None
    data: str

    def message(self) -> Message:
        """The event's message for its topic."""
        headers = event_headers(
            event_id=self.event_id,
            fact_type=self.type,
            decided_at=self.decided_at,
            subject=self.subject,
            partition=self.partition,
            sequence=self.sequence,
            traceparent=self.traceparent,
        )
        return Message(self.key.encode(), self.data.encode(), headers)


APPOINTMENT_TYPE = "booking.appointment_row_2"
# Columns that are attributes of `Appointment` by the same name, and those that need a conversion.
_SAME = (
    "id",
    "doctor_id",
    "patient_id",
    "visit_type",
    "version",
    "booked_at",
    "cancel_reason",
    "reason",
    "promised_start",
)
APPOINTMENT_COLUMNS = (*_SAME, "starts_at", "ends_at", "occupied", "status", "cancelled_by")
DECISION_COLUMNS = (
    "command_id",
    "command_type",
    "fingerprint",
    "state",
    "reason",
    "count",
    "partition",
    '"offset"',
    "decided_at",
)
DOCTOR_COLUMNS = ("id", "name", "specialty", "time_zone", "active", "visit_types", "policy", "hours")
TIME_OFF_COLUMNS = ("id", "doctor_id", "starts_at", "ends_at", "note")

VISIT_TYPES: TypeAdapter[VisitTypes] = TypeAdapter(VisitTypes)
WEEKLY_HOURS: TypeAdapter[WeeklyHours] = TypeAdapter(WeeklyHours)
_same = attrgetter(*_SAME)


def appointment_row(appointment: Appointment) -> tuple[Any, ...]:
    """The appointment's `APPOINTMENT_COLUMNS`."""
    return (
        *_same(appointment),
        *appointment.visit,
        Range(*appointment.occupied),
        appointment.status,
        appointment.cancelled_by,
    )


def appointment_from_row(row: Row) -> Appointment:
    """An appointment from its row."""
    return Appointment(
        **{column: row[column] for column in _SAME},
        visit=Interval(row["starts_at"], row["ends_at"]),
        occupied=Interval(row["occupied"].lower, row["occupied"].upper),
        status=or_newer(Status, row["status"]),
        cancelled_by=row["cancelled_by"] and or_newer(CancelledBy, row["cancelled_by"]),
    )


def decision_row(decision: Decision, command_type: str) -> tuple[Any, ...]:
    """The decision's `DECISION_COLUMNS`."""
    refusal = decision.refusal
    return (
        decision.command_id,
        command_type,
        decision.fingerprint,
        decision.state,
        refusal and refusal.reason,
        refusal and refusal.count,
        decision.partition,
        decision.offset,
        decision.decided_at,
    )


def doctor_row(doctor: Doctor) -> tuple[Any, ...]:
    """The doctor's `DOCTOR_COLUMNS`, JSON as text."""
    return (
        doctor.id,
        doctor.name,
        doctor.specialty,
        doctor.time_zone,
        doctor.active,
        VISIT_TYPES.dump_json(doctor.visit_types).decode(),
        doctor.policy.model_dump_json(),
        WEEKLY_HOURS.dump_json(doctor.hours).decode(),
    )


def doctor_from_row(row: Row) -> Doctor:
    """A doctor from a row of `booking.doctor_books`, JSON as text."""
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


def time_off_row(fact: TimeBlocked) -> tuple[Any, ...]:
    """The time off's `TIME_OFF_COLUMNS`."""
    return (fact.time_off_id, fact.doctor_id, fact.starts_at, fact.ends_at, fact.note)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
