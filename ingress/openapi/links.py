"""OpenAPI links: which operation goes on from an answer, and with which of its values.

A receipt is the last part of `Location`. OpenAPI's runtime expressions cannot cut one out; `#regex:` is how
Schemathesis, which follows these links, writes it.
"""

from collections.abc import Callable
from typing import Any

from ingress.availability.routes import get_availability
from ingress.booking.reads import get_appointment, get_history, list_appointments
from ingress.booking.routes import (
    book_appointment,
    cancel_appointment,
    record_outcome,
    reschedule_appointment,
)
from ingress.commands.status import get_command
from ingress.doctors.reads import get_doctor, get_schedule, list_doctors
from ingress.doctors.routes import register_doctor, set_schedule, update_doctor
from ingress.doctors.time_off import block_time, unblock_time
from ingress.patients.routes import get_patient, register_patient

Links = dict[str, dict[str, Any]]

RECEIPT = "{$response.header.Location#regex:/v1/commands/(.+)}"


def _link(operation: Callable[..., Any], description: str, **parameters: str) -> Links:
    operation_id = operation.__name__
    return {operation_id: {"operationId": operation_id, "description": description, "parameters": parameters}}


def _appointment(pointer: str) -> Links:
    id_ = f"$response.body#{pointer}"
    return (
        _link(get_appointment, "Read the appointment.", appointment_id=id_)
        | _link(reschedule_appointment, "Reschedule the appointment.", appointment_id=id_)
        | _link(cancel_appointment, "Cancel the appointment.", appointment_id=id_)
        | _link(get_history, "Read the history of the appointment.", appointment_id=id_)
    )


def _doctor(pointer: str) -> Links:
    id_ = f"$response.body#{pointer}"
    return (
        _link(get_doctor, "Read the doctor.", doctor_id=id_)
        | _link(get_availability, "Read the doctor's free slots.", doctor_id=id_)
        | _link(get_schedule, "Read the doctor's weekly hours.", doctor_id=id_)
    )


_COMMAND = _link(get_command, "Get the status of the command.", receipt=RECEIPT)
_BOOKED = _COMMAND | _appointment("/appointment_id")
_REGISTERED = _COMMAND | _doctor("/doctor_id")
_UNBLOCK = _link(
    unblock_time,
    "Remove the time off.",
    doctor_id="$response.body#/doctor_id",
    time_off_id="$response.body#/time_off_id",
)
_PATIENT = _link(get_patient, "Read the patient.", patient_id="$response.body#/id")

_LINKS: dict[Callable[..., Any], Links] = {
    book_appointment: _BOOKED,
    reschedule_appointment: _BOOKED,
    cancel_appointment: _BOOKED,
    record_outcome: _BOOKED,
    get_appointment: _appointment("/id"),
    list_appointments: _appointment("/items/0/id"),
    register_doctor: _REGISTERED,
    update_doctor: _REGISTERED,
    set_schedule: _REGISTERED,
    block_time: _COMMAND | _UNBLOCK,
    unblock_time: _COMMAND,
    list_doctors: _doctor("/items/0/id"),
    register_patient: _PATIENT,
}
LINKS = {operation.__name__: links for operation, links in _LINKS.items()}
"""By the id of the operation that answers: of its 200, 201 and 202."""
