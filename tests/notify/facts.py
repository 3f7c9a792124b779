"""Events of an appointment, as the worker publishes them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    CancelledBy,
    PreviousVisit,
)
from infra import clock

Placed = AppointmentBooked | AppointmentRescheduled
DOCTOR, OTHER_DOCTOR = UUID(int=0xD1), UUID(int=0xD2)
VISIT = timedelta(minutes=30)


def booked(
    patient_id: UUID, starts_at: datetime, *, doctor_id: UUID = DOCTOR, **fields: Any
) -> AppointmentBooked:
    """A new appointment."""
    return AppointmentBooked(
        **_appointment(fields.pop("appointment_id", clock.new_id()), patient_id, doctor_id, starts_at),
        version=1,
    )


def moved(before: Placed, starts_at: datetime, *, doctor_id: UUID = DOCTOR) -> AppointmentRescheduled:
    """The appointment's reschedule."""
    return AppointmentRescheduled(
        **_appointment(before.appointment_id, before.patient_id, doctor_id, starts_at),
        version=before.version + 1,
        previous=PreviousVisit(
            doctor_id=before.doctor_id,
            visit_type=before.visit_type,
            starts_at=before.starts_at,
            ends_at=before.ends_at,
        ),
    )


def cancelled(before: Placed, by: CancelledBy = CancelledBy.PATIENT) -> AppointmentCancelled:
    """The appointment's cancellation."""
    visit = _appointment(before.appointment_id, before.patient_id, before.doctor_id, before.starts_at)
    return AppointmentCancelled(**visit, version=before.version + 1, cancelled_by=by)


def _appointment(id_: UUID, patient_id: UUID, doctor_id: UUID, starts_at: datetime) -> dict[str, Any]:
    times = {"starts_at": starts_at, "ends_at": starts_at + VISIT}
    return {
        "appointment_id": id_,
        "doctor_id": doctor_id,
        "patient_id": patient_id,
        "visit_type": "checkup",
        **times,
        "occupied_from": starts_at,
        "occupied_until": starts_at + VISIT,
    }
