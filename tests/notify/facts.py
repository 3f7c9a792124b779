"""What can happen to an appointment, as the worker would tell it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    CancelledBy,
    Place,
)
from infra import clock

Placed = AppointmentBooked | AppointmentRescheduled
DOCTOR, OTHER_DOCTOR = UUID(int=0xD1), UUID(int=0xD2)
VISIT = timedelta(minutes=30)


def booked(
    patient_id: UUID, starts_at: datetime, *, doctor_id: UUID = DOCTOR, **more: Any
) -> AppointmentBooked:
    """A new appointment."""
    return AppointmentBooked(
        **_appointment(more.pop("appointment_id", clock.new_id()), patient_id, doctor_id, starts_at),
        version=1,
    )


def moved(before: Placed, starts_at: datetime, *, doctor_id: UUID = DOCTOR) -> AppointmentRescheduled:
    """The appointment, moved."""
    return AppointmentRescheduled(
        **_appointment(before.appointment_id, before.patient_id, doctor_id, starts_at),
        version=before.version + 1,
        previous=Place(
            doctor_id=before.doctor_id,
            visit_type=before.visit_type,
            starts_at=before.starts_at,
            ends_at=before.ends_at,
        ),
    )


def cancelled(before: Placed, by: CancelledBy = CancelledBy.PATIENT) -> AppointmentCancelled:
    """The appointment, cancelled."""
    place = _appointment(before.appointment_id, before.patient_id, before.doctor_id, before.starts_at)
    return AppointmentCancelled(**place, version=before.version + 1, cancelled_by=by)


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
