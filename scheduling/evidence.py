"""Evidence of a decision: the state of other partitions that it depends on, recorded in its events.

A partition's own events show which times its doctors' appointments occupied when it decided. They do not show
how other partitions had changed the appointments that it looked at. That is recorded, so that deciding again
proves the decision.
"""

from contracts.commands import (
    ActorKind,
    CancelAppointment,
    Command,
    RecordOutcome,
    RescheduleAppointment,
)
from contracts.events import AppointmentSeen, Evidence, Fact
from contracts.refusals import Refusal
from scheduling.state import Appointment, Book, Status


def evidence_of(book: Book, command: Command, outcome: list[Fact] | Refusal) -> Evidence:
    """The evidence for an outcome; `book` is as it was when the command was decided.

    It contains the appointments that are the reason of a refusal, and the appointment that the command names,
    unless that is booked with the command's own doctor.
    """
    seen: list[Appointment] = []
    notice = None
    if isinstance(command, RescheduleAppointment | CancelAppointment | RecordOutcome):
        named = book.appointments.get(command.appointment_id)
        if named and (named.doctor_id != command.doctor_id or named.status is not Status.BOOKED):
            seen.append(named)
            doctor = book.doctors.get(named.doctor_id)
            if doctor and command.actor.kind is ActorKind.PATIENT and doctor.id != command.doctor_id:
                notice = doctor.policy.change_notice_minutes
    if isinstance(outcome, Refusal):
        seen += [book.appointments[id_] for id_ in outcome.conflicts]
    return Evidence(
        appointments=tuple(
            AppointmentSeen(appointment_id=found.id, version=found.version, status=found.status)
            for found in seen
        ),
        change_notice_minutes=notice,
    )
