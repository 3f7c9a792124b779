"""The parts that facts about appointments are made of."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from contracts.doctors import VisitType
from contracts.events import AppointmentCancelled, CancelledBy, PreviousVisit
from contracts.promise import Promise
from scheduling.opening_hours import Interval
from scheduling.state import Appointment, Doctor


class TimeOfVisit(TypedDict):
    """Whose time a visit takes, and when; its local time is promised."""

    doctor_id: UUID
    visit_type: str
    starts_at: datetime
    ends_at: datetime
    occupied_from: datetime
    occupied_until: datetime
    promised_start: str


def time_of(doctor: Doctor, visit_type: VisitType, visit: Interval, occupied: Interval) -> TimeOfVisit:
    """The fields of a visit that takes a doctor's time, with the promise by the zone data of this process."""
    return {
        "doctor_id": doctor.id,
        "visit_type": visit_type.code,
        "starts_at": visit.starts,
        "ends_at": visit.ends,
        "occupied_from": occupied.starts,
        "occupied_until": occupied.ends,
        "promised_start": str(Promise.of(visit.starts, doctor.time_zone)),
    }


def previous_visit(appointment: Appointment) -> PreviousVisit:
    """The appointment before it moves."""
    return PreviousVisit(
        doctor_id=appointment.doctor_id,
        visit_type=appointment.visit_type,
        starts_at=appointment.visit.starts,
        ends_at=appointment.visit.ends,
        promised_start=appointment.promised_start,
    )


def cancelled(appointment: Appointment, by: CancelledBy, reason: str | None) -> AppointmentCancelled:
    """The event of a cancellation, which frees the appointment's time."""
    return AppointmentCancelled(
        appointment_id=appointment.id,
        doctor_id=appointment.doctor_id,
        patient_id=appointment.patient_id,
        visit_type=appointment.visit_type,
        starts_at=appointment.visit.starts,
        ends_at=appointment.visit.ends,
        occupied_from=appointment.occupied.starts,
        occupied_until=appointment.occupied.ends,
        version=appointment.version + 1,
        reason=appointment.reason,
        promised_start=appointment.promised_start,
        cancelled_by=by,
        cancel_reason=reason,
    )
