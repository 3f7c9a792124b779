"""Determines the data that must be loaded to decide a batch of commands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from booking_worker.decide.command_record import CommandRecord
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

NAMES_AN_APPOINTMENT = (RescheduleAppointment, CancelAppointment, RecordOutcome)
# Not the buffers of today's visit types: an appointment keeps the buffers that it was booked with.
BUFFER_MAX = timedelta(minutes=BUFFER_MINUTES_MAX)


class WantedTime(NamedTuple):
    """A doctor's time that a command asks for; no visit that overlaps it starts at `starts_before` or later.

    The attributes of `booking.wanted_time`.
    """

    doctor_id: UUID
    starts_at: datetime
    ends_at: datetime
    starts_before: datetime


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The data to load besides the doctors and the appointments that the commands name."""

    command_ids: list[UUID]
    times: list[WantedTime]
    patient_ids: set[UUID]
    earliest_now: datetime


def plan_loading(
    records: list[CommandRecord], doctors: Mapping[UUID, Doctor], named: Mapping[UUID, Appointment]
) -> LoadPlan:
    """The wanted times, and the patients who may have other appointments then.

    `doctors` as they were before the batch: a batch ends after a command that changes what they offer.
    """
    times: list[WantedTime] = []
    patient_ids: set[UUID] = set()
    # Patient and visit types by appointment, also of appointments that the batch itself books or changes.
    patients = {id_: appointment.patient_id for id_, appointment in named.items()}
    visit_types = {id_: {appointment.visit_type} for id_, appointment in named.items()}
    for record in records:
        match record.command:
            case BookAppointment() as command:
                patients.setdefault(command.appointment_id, command.patient_id)
                codes = visit_types.setdefault(command.appointment_id, set())
                codes.add(command.visit_type)
            case RescheduleAppointment() as command if command.appointment_id in patients:
                codes = visit_types[command.appointment_id]
                if command.visit_type:
                    codes.add(command.visit_type)
            case _:
                continue
        patient_ids.add(patients[command.appointment_id])
        if isinstance(command, RescheduleAppointment) and command.promised_start is not None:
            times += _kept_times(command, named)
        if doctor := doctors.get(command.doctor_id):
            for visit_type in filter(None, map(doctor.visit_type, codes)):
                occupied = with_buffers(visit_at(command.starts_at, visit_type), visit_type)
                times.append(WantedTime(command.doctor_id, *occupied, occupied.ends + BUFFER_MAX))
    return LoadPlan(
        command_ids=[record.command_id for record in records if record.command_id is not None],
        times=times,
        patient_ids=patient_ids,
        earliest_now=min(record.at for record in records),
    )


def _kept_times(command: RescheduleAppointment, named: Mapping[UUID, Appointment]) -> Iterator[WantedTime]:
    """The time of a visit that moves as it is, whatever the doctor offers by now."""
    if appointment := named.get(command.appointment_id):
        by = command.starts_at - appointment.visit.starts
        starts, ends = (at + by for at in appointment.occupied)
        yield WantedTime(command.doctor_id, starts, ends, ends + BUFFER_MAX)


def times_to_block(records: list[CommandRecord]) -> list[WantedTime]:
    """The times to block: all bookings in them have to be loaded."""
    commands = [record.command for record in records if isinstance(record.command, BlockTime)]
    return [
        WantedTime(command.doctor_id, command.starts_at, command.ends_at, starts_before=command.ends_at)
        for command in commands
    ]
