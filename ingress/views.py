"""Resources as clients see them: instants in the clinic's zone, with the offset."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_core import to_json

from contracts.commands import ActorKind
from contracts.doctors import Hours, Policy, VisitType
from contracts.events import CancelledBy
from contracts.fields import Model, rfc3339
from scheduling.rows import Row
from scheduling.state import Appointment, Doctor, Status


class DoctorView(Model):
    """A doctor."""

    id: UUID
    name: str
    specialty: str
    time_zone: str
    active: bool
    visit_types: tuple[VisitType, ...]
    policy: Policy

    @classmethod
    def of(cls, doctor: Doctor) -> "DoctorView":
        """The doctor's public side."""
        return cls(
            id=doctor.id,
            name=doctor.name,
            specialty=doctor.specialty,
            time_zone=doctor.time_zone,
            active=doctor.active,
            visit_types=doctor.visit_types,
            policy=doctor.policy,
        )


class DoctorList(Model):
    """A page of doctors."""

    items: list[DoctorView]
    next_cursor: str | None


class ScheduleView(Model):
    """A doctor's weekly hours, local to `time_zone`."""

    doctor_id: UUID
    time_zone: str
    hours: tuple[Hours, ...]


class SlotView(Model):
    """A time that can be booked."""

    starts_at: str
    ends_at: str


class DayView(Model):
    """The slots of one local date."""

    date: str
    slots: list[SlotView]


class AvailabilityView(Model):
    """Free slots by local day."""

    doctor_id: UUID
    time_zone: str
    visit_type: str
    # `from` is a keyword of Python.
    starts_on: str = Field(serialization_alias="from")
    to: str
    days: list[DayView]


class AppointmentView(Model):
    """An appointment."""

    id: UUID
    doctor_id: UUID
    patient_id: UUID
    visit_type: str
    starts_at: str
    ends_at: str
    status: Status
    version: int
    booked_at: str
    cancelled_by: CancelledBy | None
    cancel_reason: str | None

    @classmethod
    def of(cls, appointment: Appointment, zone: ZoneInfo) -> "AppointmentView":
        """The appointment, its instants in `zone`."""
        return cls(
            id=appointment.id,
            doctor_id=appointment.doctor_id,
            patient_id=appointment.patient_id,
            visit_type=appointment.visit_type,
            starts_at=local(appointment.visit.starts, zone),
            ends_at=local(appointment.visit.ends, zone),
            status=appointment.status,
            version=appointment.version,
            booked_at=local(appointment.booked_at, zone),
            cancelled_by=appointment.cancelled_by,
            cancel_reason=appointment.cancel_reason,
        )


class AppointmentList(Model):
    """A page of appointments."""

    items: list[AppointmentView]
    next_cursor: str | None


def local(instant: datetime, zone: ZoneInfo) -> str:
    """RFC 3339 in the zone, with its offset."""
    return rfc3339(instant.astimezone(zone))


def appointment_page(rows: Sequence[Row], zone: ZoneInfo, next_cursor: str | None) -> bytes:
    """An `AppointmentList` as JSON, straight from rows of `booking.appointments`: a page has many."""
    items = [
        {
            "id": row["id"],
            "doctor_id": row["doctor_id"],
            "patient_id": row["patient_id"],
            "visit_type": row["visit_type"],
            "starts_at": local(row["starts_at"], zone),
            "ends_at": local(row["ends_at"], zone),
            "status": row["status"],
            "version": row["version"],
            "booked_at": local(row["booked_at"], zone),
            "cancelled_by": row["cancelled_by"],
            "cancel_reason": row["cancel_reason"],
        }
        for row in rows
    ]
    return to_json({"items": items, "next_cursor": next_cursor})


class AuditPlace(Model):
    """Where the audit trail has it: the chain of this partition, the number there, and the hash (hex)."""

    partition: int
    number: int
    hash: str


class HistoryEntry(Model):
    """Something that happened to an appointment. `version` and the times are those after it."""

    event: str
    at: str
    actor: ActorKind
    version: int | None
    doctor_id: UUID | None
    visit_type: str | None
    starts_at: str | None
    ends_at: str | None
    outcome: str | None
    cancelled_by: str | None
    cancel_reason: str | None
    refusal: str | None
    command_id: UUID
    audit: AuditPlace | None


class HistoryList(Model):
    """All of an appointment's history."""

    items: list[HistoryEntry]
    next_cursor: str | None


def history_entry(
    event_type: str, data: Mapping[str, Any], zone: ZoneInfo, audit: AuditPlace | None
) -> HistoryEntry:
    """An entry from an event's data."""
    starts_at, ends_at = data.get("starts_at"), data.get("ends_at")
    return HistoryEntry(
        event=event_type,
        at=local(datetime.fromisoformat(data["decided_at"]), zone),
        actor=data["actor"]["kind"],
        version=data.get("version"),
        doctor_id=data.get("doctor_id"),
        visit_type=data.get("visit_type"),
        starts_at=local(datetime.fromisoformat(starts_at), zone) if starts_at else None,
        ends_at=local(datetime.fromisoformat(ends_at), zone) if ends_at else None,
        outcome=data.get("outcome"),
        cancelled_by=data.get("cancelled_by"),
        cancel_reason=data.get("cancel_reason"),
        refusal=data.get("reason") if event_type == "CommandRefused" else None,
        command_id=data["command_id"],
        audit=audit,
    )
