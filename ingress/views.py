"""Resources as clients see them: instants in the clinic's zone, with the offset."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field

from contracts.doctors import Hours, Policy, VisitType
from contracts.events import CancelledBy
from contracts.fields import Model, rfc3339
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
