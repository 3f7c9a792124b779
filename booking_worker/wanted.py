"""What the commands of a batch are about: what has to be loaded to decide them."""

from collections.abc import Mapping
from uuid import UUID

from booking_worker.incoming import Incoming
from booking_worker.store import Wanted
from contracts.commands import (
    BlockTime,
    BookAppointment,
    CancelAppointment,
    RecordOutcome,
    RescheduleAppointment,
)
from scheduling.calendar import Interval
from scheduling.slots import occupied_at
from scheduling.state import Appointment, Doctor

CHANGES = (RescheduleAppointment, CancelAppointment, RecordOutcome)
"""The commands that name an appointment."""


def wanted(
    items: list[Incoming], doctors: Mapping[UUID, Doctor], named: Mapping[UUID, Appointment]
) -> Wanted:
    """The times that somebody may have taken, and the patients who may be elsewhere.

    `doctors` as they were before the batch: a batch ends behind a command that changes what they offer.
    """
    times: list[tuple[UUID, Interval]] = []
    patients: set[UUID] = set()
    for item in items:
        match item.command:
            case BookAppointment() as command:
                patients.add(command.patient_id)
                code = command.visit_type
            case RescheduleAppointment() as command if command.appointment_id in named:
                patients.add(named[command.appointment_id].patient_id)
                code = command.visit_type or named[command.appointment_id].visit_type
            case BlockTime() as command:
                times.append((command.doctor_id, Interval(command.starts_at, command.ends_at)))
                continue
            case _:
                continue
        doctor = doctors.get(command.doctor_id)
        visit_type = doctor.visit_type(code) if doctor else None
        if visit_type is not None:
            times.append((command.doctor_id, occupied_at(command.starts_at, visit_type)))
    ids = [item.command_id for item in items if item.command_id is not None]
    return Wanted(ids, times, patients, min(item.at for item in items))
