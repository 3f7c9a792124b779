"""Decisions about appointments: book, reschedule, cancel, note the outcome."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from contracts.commands import (
    Actor,
    ActorKind,
    BookAppointment,
    CancelAppointment,
    RecordOutcome,
    RescheduleAppointment,
)
from contracts.doctors import VisitType
from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    CancelledBy,
    CommandConfirmed,
    OutcomeRecorded,
    Place,
)
from contracts.fields import INSTANT_MAX
from contracts.refusals import Reason, Refusal
from scheduling.calendar import Interval, minutes
from scheduling.outcome import Outcome
from scheduling.slots import visit_at, why_not, why_not_now, with_buffers
from scheduling.state import Appointment, Book, Doctor, Status

_CANCELLED_BY = {
    ActorKind.PATIENT: CancelledBy.PATIENT,
    ActorKind.STAFF: CancelledBy.STAFF,
    ActorKind.SYSTEM: CancelledBy.CLINIC,
}


def book(book: Book, command: BookAppointment, now: datetime) -> Outcome:
    if command.actor.kind is ActorKind.PATIENT and command.patient_id != command.actor.id:
        return Refusal(Reason.NOT_YOURS)
    found = _place(book, command.doctor_id, command.visit_type)
    if isinstance(found, Refusal):
        return found
    doctor, visit_type = found
    visit = visit_at(command.starts_at, visit_type)
    wanted = with_buffers(visit, visit_type)
    if reason := _why_not_take(book, doctor, visit, wanted, command.patient_id, command.actor, now, None):
        return Refusal(reason)
    booked = AppointmentBooked(
        appointment_id=command.appointment_id,
        patient_id=command.patient_id,
        version=1,
        reason=command.reason,
        **_times(doctor, visit_type, visit, wanted),
    )
    return [booked]


def change(
    book: Book, command: RescheduleAppointment | CancelAppointment | RecordOutcome, now: datetime
) -> Outcome:
    appointment = book.appointments.get(command.appointment_id)
    if appointment is None:
        return Refusal(Reason.UNKNOWN_APPOINTMENT)
    by_patient = command.actor.kind is ActorKind.PATIENT
    if by_patient and appointment.patient_id != command.actor.id:
        return Refusal(Reason.NOT_YOURS)
    if isinstance(command, CancelAppointment) and appointment.status is Status.CANCELLED:
        return [CommandConfirmed(appointment_id=appointment.id, doctor_id=appointment.doctor_id)]
    if appointment.status is not Status.BOOKED:
        return Refusal(Reason.NOT_BOOKED)
    match command:
        case RecordOutcome():
            return _record_outcome(appointment, command, now)
        case CancelAppointment():
            if by_patient and _too_late(book, appointment, now):
                return Refusal(Reason.TOO_LATE_TO_CHANGE)
            return [cancelled(appointment, _CANCELLED_BY[command.actor.kind], command.reason)]
        case RescheduleAppointment():
            if by_patient and _too_late(book, appointment, now):
                return Refusal(Reason.TOO_LATE_TO_CHANGE)
            return _reschedule(book, appointment, command, now)


def _record_outcome(appointment: Appointment, command: RecordOutcome, now: datetime) -> Outcome:
    if now < appointment.visit.starts:
        return Refusal(Reason.NOT_STARTED)
    return [
        OutcomeRecorded(
            appointment_id=appointment.id,
            doctor_id=appointment.doctor_id,
            patient_id=appointment.patient_id,
            outcome=command.outcome,
            version=appointment.version,
        )
    ]


def _reschedule(
    book: Book, appointment: Appointment, command: RescheduleAppointment, now: datetime
) -> Outcome:
    found = _place(book, command.doctor_id, command.visit_type or appointment.visit_type)
    if isinstance(found, Refusal):
        return found
    doctor, visit_type = found
    visit = visit_at(command.starts_at, visit_type)
    wanted = with_buffers(visit, visit_type)
    patient_id, actor = appointment.patient_id, command.actor
    if reason := _why_not_take(book, doctor, visit, wanted, patient_id, actor, now, appointment):
        return Refusal(reason)
    moved = AppointmentRescheduled(
        appointment_id=appointment.id,
        patient_id=appointment.patient_id,
        version=appointment.version + 1,
        reason=appointment.reason,
        previous=Place(
            doctor_id=appointment.doctor_id,
            visit_type=appointment.visit_type,
            starts_at=appointment.visit.starts,
            ends_at=appointment.visit.ends,
        ),
        **_times(doctor, visit_type, visit, wanted),
    )
    return [moved]


def _place(book: Book, doctor_id: UUID, code: str) -> tuple[Doctor, VisitType] | Refusal:
    doctor = book.doctors.get(doctor_id)
    if doctor is None:
        return Refusal(Reason.UNKNOWN_DOCTOR)
    if not doctor.active:
        return Refusal(Reason.DOCTOR_INACTIVE)
    visit_type = doctor.visit_type(code)
    if visit_type is None:
        return Refusal(Reason.UNKNOWN_VISIT_TYPE)
    return doctor, visit_type


def _why_not_take(
    book: Book,
    doctor: Doctor,
    visit: Interval,
    wanted: Interval,
    patient_id: UUID,
    actor: Actor,
    now: datetime,
    moving: Appointment | None = None,
) -> Reason | None:
    """The whole rule about taking a time: the clock's, the doctor's and the patient's side, in this order."""
    if visit.starts <= now:
        return Reason.IN_THE_PAST
    if wanted.ends >= INSTANT_MAX:
        return Reason.TOO_FAR_AHEAD
    by_patient = actor.kind is ActorKind.PATIENT
    if by_patient and (reason := why_not_now(doctor, visit.starts, now)):
        return reason
    moving_id = moving.id if moving else None
    if reason := why_not(doctor, visit, wanted, book.occupied(doctor.id), moving_id):
        return reason
    others = [one for one in book.booked_by(patient_id) if one.id != moving_id]
    if any(visit.overlaps(one.visit) for one in others):
        return Reason.PATIENT_BUSY
    if by_patient and not (moving and moving.doctor_id == doctor.id):
        upcoming = sum(one.doctor_id == doctor.id and one.visit.starts > now for one in others)
        if upcoming >= doctor.policy.max_active_per_patient:
            return Reason.TOO_MANY_ACTIVE
    return None


def _too_late(book: Book, appointment: Appointment, now: datetime) -> bool:
    policy = book.doctors[appointment.doctor_id].policy
    return appointment.visit.starts < now + minutes(policy.change_notice_minutes)


class _Times(TypedDict):
    doctor_id: UUID
    visit_type: str
    starts_at: datetime
    ends_at: datetime
    occupied_from: datetime
    occupied_until: datetime


def _times(doctor: Doctor, visit_type: VisitType, visit: Interval, wanted: Interval) -> _Times:
    return {
        "doctor_id": doctor.id,
        "visit_type": visit_type.code,
        "starts_at": visit.starts,
        "ends_at": visit.ends,
        "occupied_from": wanted.starts,
        "occupied_until": wanted.ends,
    }


def cancelled(appointment: Appointment, by: CancelledBy, reason: str | None) -> AppointmentCancelled:
    """The event that frees a booked appointment's time."""
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
        cancelled_by=by,
        cancel_reason=reason,
    )
