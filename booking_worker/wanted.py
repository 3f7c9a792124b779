"""What the commands of a batch are about: what has to be loaded to decide them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
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
from contracts.doctors import BUFFER_MINUTES_MAX
from scheduling.slots import visit_at, with_buffers
from scheduling.state import Appointment, Doctor

CHANGES = (RescheduleAppointment, CancelAppointment, RecordOutcome)
"""The commands that name an appointment."""
# Not that of today's visit types: what is booked keeps the buffer that it was booked with.
BUFFER_MAX = timedelta(minutes=BUFFER_MINUTES_MAX)


def wanted(
    items: list[Incoming], doctors: Mapping[UUID, Doctor], named: Mapping[UUID, Appointment]
) -> Wanted:
    """The times that somebody may have taken, and the patients who may be elsewhere.

    `doctors` as they were before the batch: a batch ends behind a command that changes what they offer.
    """
    times: list[tuple[UUID, datetime, datetime, datetime]] = []
    patients: set[UUID] = set()
    # Whose an appointment is, and as which visit types: also of one that is booked, or changed, in the batch.
    whose = {id_: one.patient_id for id_, one in named.items()}
    kinds = {id_: {one.visit_type} for id_, one in named.items()}
    for item in items:
        match item.command:
            case BookAppointment() as command:
                whose.setdefault(command.appointment_id, command.patient_id)
                codes = kinds.setdefault(command.appointment_id, set())
                codes.add(command.visit_type)
            case RescheduleAppointment() as command if command.appointment_id in whose:
                codes = kinds[command.appointment_id]
                if command.visit_type:
                    codes.add(command.visit_type)
            case _:
                continue
        patients.add(whose[command.appointment_id])
        if doctor := doctors.get(command.doctor_id):
            for visit_type in filter(None, map(doctor.visit_type, codes)):
                when = with_buffers(visit_at(command.starts_at, visit_type), visit_type)
                times.append((command.doctor_id, *when, when.ends + BUFFER_MAX))
    ids = [item.command_id for item in items if item.command_id is not None]
    return Wanted(ids, times, patients, min(item.at for item in items))


def times_off(items: list[Incoming]) -> list[tuple[UUID, datetime, datetime]]:
    """The doctors and times that are to be blocked: every booking in them has to be seen."""
    commands = [item.command for item in items if isinstance(item.command, BlockTime)]
    return [(command.doctor_id, command.starts_at, command.ends_at) for command in commands]
