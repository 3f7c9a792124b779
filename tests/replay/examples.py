"""Single commands, for tests of one situation."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from contracts.cloudevents import command_headers, command_key
from contracts.commands import (
    BookAppointment,
    CancelAppointment,
    Command,
    RecordOutcome,
    RegisterDoctor,
    RescheduleAppointment,
    SetWeeklyHours,
    VisitOutcome,
    derived_id,
)
from contracts.doctors import Policy
from infra.kafka import partitioner
from tests.replay.history import ALL_DAY, STAFF, VISIT_TYPES, Record

PATIENT = UUID("11111111-2222-4333-8444-555555555555")


def named(doctor_id: UUID) -> Any:
    """The fields that every command has."""
    id_ = uuid4()
    return {"command_id": id_, "fingerprint": id_.hex, "actor": STAFF, "doctor_id": doctor_id}


def opened(doctor_id: UUID) -> list[Command]:
    """A doctor with hours all day, in slots of half an hour."""
    policy = Policy(slot_minutes=30)
    zone = {"time_zone": "UTC", "visit_types": VISIT_TYPES, "policy": policy}
    return [
        RegisterDoctor(**named(doctor_id), name="Dr. Example", specialty="examples", **zone),
        SetWeeklyHours(**named(doctor_id), hours=ALL_DAY),
    ]


def booked(doctor_id: UUID, starts_at: datetime, patient_id: UUID = PATIENT) -> BookAppointment:
    """A booking by staff."""
    name = named(doctor_id)
    return BookAppointment(
        **name,
        appointment_id=derived_id(name["command_id"], "appointment"),
        patient_id=patient_id,
        visit_type="checkup",
        starts_at=starts_at,
    )


def cancelled(booking: BookAppointment) -> CancelAppointment:
    """Its cancellation."""
    return CancelAppointment(**named(booking.doctor_id), appointment_id=booking.appointment_id)


def moved(booking: BookAppointment, doctor_id: UUID, starts_at: datetime) -> RescheduleAppointment:
    """Its move."""
    name = named(doctor_id)
    return RescheduleAppointment(**name, appointment_id=booking.appointment_id, starts_at=starts_at)


def ended(booking: BookAppointment, outcome: VisitOutcome) -> RecordOutcome:
    """Its outcome, or a correction of that."""
    name = named(booking.doctor_id)
    return RecordOutcome(**name, appointment_id=booking.appointment_id, outcome=outcome)


def record_of(command: Command, at: datetime) -> Record:
    """The command as a record."""
    value = command.model_dump_json().encode()
    return Record(command_key(command), value, command_headers(command, at), at)


def partition_of(doctor_id: UUID) -> int:
    """The partition of a doctor's commands."""
    return partitioner.partition_of(str(doctor_id).encode())


def doctors_in_different_partitions() -> tuple[UUID, UUID]:
    """New ids."""
    first = second = uuid4()
    while partition_of(second) == partition_of(first):
        second = uuid4()
    return first, second
