"""Decisions about appointments: book, reschedule, cancel, record the outcome."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

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
    AppointmentRescheduled,
    CancelledBy,
    CommandConfirmed,
    Fact,
    OutcomeRecorded,
)
from contracts.fields import INSTANT_MAX
from contracts.promise import Promise
from contracts.refusals import Reason, Refusal
from scheduling.facts import cancelled, previous_visit, time_of
from scheduling.kept_local_time import keep_local_time
from scheduling.opening_hours import Interval, minutes, whole_day
from scheduling.slots import check_notice, check_visit, visit_at, with_buffers
from scheduling.state import Appointment, Book, Doctor, Status

_CANCELLED_BY = {
    ActorKind.PATIENT: CancelledBy.PATIENT,
    ActorKind.STAFF: CancelledBy.STAFF,
    ActorKind.SYSTEM: CancelledBy.CLINIC,
}


def book(book: Book, command: BookAppointment, now: datetime) -> list[Fact] | Refusal:
    if command.actor.kind is ActorKind.PATIENT and command.patient_id != command.actor.id:
        return Refusal(Reason.NOT_YOURS)
    found = _doctor_and_visit_type(book, command.doctor_id, command.visit_type)
    if isinstance(found, Refusal):
        return found
    doctor, visit_type = found
    visit = visit_at(command.starts_at, visit_type)
    wanted = with_buffers(visit, visit_type)
    if refusal := _check_time(book, doctor, visit, wanted, command.patient_id, command.actor, now):
        return refusal
    booked = AppointmentBooked(
        appointment_id=command.appointment_id,
        patient_id=command.patient_id,
        version=1,
        reason=command.reason,
        **time_of(doctor, visit_type, visit, wanted),
    )
    return [booked]


def change(
    book: Book, command: RescheduleAppointment | CancelAppointment | RecordOutcome, now: datetime
) -> list[Fact] | Refusal:
    appointment = book.appointments.get(command.appointment_id)
    if appointment is None:
        return Refusal(Reason.UNKNOWN_APPOINTMENT)
    by_patient = command.actor.kind is ActorKind.PATIENT
    if by_patient and appointment.patient_id != command.actor.id:
        return Refusal(Reason.NOT_YOURS)
    if _is_fulfilled(appointment, command):
        return [_nothing_changed(appointment)]
    corrects = isinstance(command, RecordOutcome) and appointment.outcome is not None
    if appointment.status is not Status.BOOKED and not corrects:
        return Refusal(Reason.NOT_BOOKED)
    if command.expected_version not in (None, appointment.version):
        return Refusal(Reason.CHANGED_MEANWHILE)
    match command:
        case RecordOutcome():
            return _record_outcome(book, appointment, command, now)
        case CancelAppointment():
            if by_patient and _too_late(book, appointment, now):
                return Refusal(Reason.TOO_LATE_TO_CHANGE)
            return [
                cancelled(appointment, _CANCELLED_BY[command.asked_by or command.actor.kind], command.reason)
            ]
        case RescheduleAppointment():
            if by_patient and _too_late(book, appointment, now):
                return Refusal(Reason.TOO_LATE_TO_CHANGE)
            if command.promised_start is not None and not by_patient:
                return keep_local_time(book, appointment, command, command.promised_start, now)
            return _reschedule(book, appointment, command, now)


def _is_fulfilled(
    appointment: Appointment, command: RescheduleAppointment | CancelAppointment | RecordOutcome
) -> bool:
    match command:
        case CancelAppointment():
            return appointment.status is Status.CANCELLED
        case RecordOutcome():
            return appointment.outcome == command.outcome
        case RescheduleAppointment():
            return (
                appointment.status is Status.BOOKED
                and appointment.doctor_id == command.doctor_id
                and appointment.visit.starts == command.starts_at
                and command.visit_type in (None, appointment.visit_type)
            )


def _nothing_changed(appointment: Appointment) -> CommandConfirmed:
    return CommandConfirmed(appointment_id=appointment.id, doctor_id=appointment.doctor_id)


def _record_outcome(
    book: Book, appointment: Appointment, command: RecordOutcome, now: datetime
) -> list[Fact] | Refusal:
    if now < appointment.visit.starts:
        return Refusal(Reason.NOT_STARTED)
    if appointment.outcome is not None and now >= _corrected_until(book, appointment):
        return Refusal(Reason.TOO_LATE_TO_CHANGE)
    return [
        OutcomeRecorded(
            appointment_id=appointment.id,
            doctor_id=appointment.doctor_id,
            patient_id=appointment.patient_id,
            outcome=command.outcome,
            version=appointment.version + 1,
            previous_status=appointment.status,
        )
    ]


def _corrected_until(book: Book, appointment: Appointment) -> datetime:
    """The end of the day after the visit's, in the zone of the doctor when the visit was booked."""
    starts = appointment.visit.starts
    promise = Promise.read(appointment.promised_start, starts)
    time_zone = promise.time_zone if promise else book.doctors[appointment.doctor_id].time_zone
    return whole_day(time_zone, starts.astimezone(ZoneInfo(time_zone)).date() + timedelta(days=1)).ends


def _reschedule(
    book: Book, appointment: Appointment, command: RescheduleAppointment, now: datetime
) -> list[Fact] | Refusal:
    found = _doctor_and_visit_type(book, command.doctor_id, command.visit_type or appointment.visit_type)
    if isinstance(found, Refusal):
        return found
    doctor, visit_type = found
    visit = visit_at(command.starts_at, visit_type)
    wanted = with_buffers(visit, visit_type)
    patient_id, actor = appointment.patient_id, command.actor
    if refusal := _check_time(book, doctor, visit, wanted, patient_id, actor, now, appointment):
        return refusal
    moved = AppointmentRescheduled(
        appointment_id=appointment.id,
        patient_id=appointment.patient_id,
        version=appointment.version + 1,
        reason=appointment.reason,
        previous=previous_visit(appointment),
        **time_of(doctor, visit_type, visit, wanted),
    )
    return [moved]


def _doctor_and_visit_type(book: Book, doctor_id: UUID, code: str) -> tuple[Doctor, VisitType] | Refusal:
    doctor = book.doctors.get(doctor_id)
    if doctor is None:
        return Refusal(Reason.UNKNOWN_DOCTOR)
    if not doctor.active:
        return Refusal(Reason.DOCTOR_INACTIVE)
    visit_type = doctor.visit_type(code)
    if visit_type is None:
        return Refusal(Reason.UNKNOWN_VISIT_TYPE)
    return doctor, visit_type


def _check_time(
    book: Book,
    doctor: Doctor,
    visit: Interval,
    wanted: Interval,
    patient_id: UUID,
    actor: Actor,
    now: datetime,
    moving: Appointment | None = None,
) -> Refusal | None:
    """All checks of a requested time, in this order: the clock, the doctor, the patient."""
    if visit.starts <= now:
        return Refusal(Reason.IN_THE_PAST)
    if wanted.ends >= INSTANT_MAX:
        return Refusal(Reason.TOO_FAR_AHEAD)
    by_patient = actor.kind is ActorKind.PATIENT
    if by_patient and (reason := check_notice(doctor, visit.starts, now)):
        return Refusal(reason)
    moving_id = moving.id if moving else None
    occupied = book.occupied(doctor.id)
    if reason := check_visit(doctor, visit, wanted, occupied, moving_id):
        taken = reason is Reason.SLOT_TAKEN
        conflicts = [id_ for id_ in occupied.overlapping(wanted) if id_ != moving_id] if taken else []
        return Refusal(reason, conflicts=tuple(conflicts))
    others = [other for other in book.booked_by(patient_id) if other.id != moving_id]
    if clashes := tuple(other.id for other in others if other.visit.overlaps(visit)):
        return Refusal(Reason.PATIENT_BUSY, conflicts=clashes)
    if by_patient and not (moving and moving.doctor_id == doctor.id):
        active = [other.id for other in others if other.doctor_id == doctor.id and other.visit.starts > now]
        if len(active) >= doctor.policy.max_active_per_patient:
            return Refusal(Reason.TOO_MANY_ACTIVE, conflicts=tuple(active))
    return None


def _too_late(book: Book, appointment: Appointment, now: datetime) -> bool:
    policy = book.doctors[appointment.doctor_id].policy
    return appointment.visit.starts < now + minutes(policy.change_notice_minutes)
