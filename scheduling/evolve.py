"""Applies facts to the book: the only code that turns events into state."""

from dataclasses import replace
from datetime import datetime

from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentFact,
    AppointmentRescheduled,
    CommandConfirmed,
    CommandFailed,
    CommandRefused,
    DoctorFact,
    DoctorRegistered,
    DoctorUpdated,
    Fact,
    OutcomeRecorded,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
)
from contracts.fields import or_newer
from scheduling.opening_hours import Interval
from scheduling.state import Appointment, Book, Doctor, Status, TimeOff


def evolve(book: Book, fact: Fact, decided_at: datetime) -> None:
    """Apply the fact to the book. Facts that only answer a command change nothing."""
    match fact:
        case AppointmentBooked():
            book.put(_appointment(fact, booked_at=decided_at))
        case AppointmentRescheduled():
            book.put(_appointment(fact, booked_at=book.appointments[fact.appointment_id].booked_at))
        case AppointmentCancelled():
            book.put(
                replace(
                    book.appointments[fact.appointment_id],
                    status=Status.CANCELLED,
                    version=fact.version,
                    cancelled_by=fact.cancelled_by,
                    cancel_reason=fact.cancel_reason,
                )
            )
        case OutcomeRecorded():
            appointment = book.appointments[fact.appointment_id]
            book.put(replace(appointment, status=or_newer(Status, fact.outcome), version=fact.version))
        case DoctorUpdated():
            known = book.doctors[fact.doctor_id]
            book.doctors[fact.doctor_id] = replace(_doctor(fact), hours=known.hours, time_off=known.time_off)
        case DoctorRegistered():
            book.doctors[fact.doctor_id] = _doctor(fact)
        case WeeklyHoursSet():
            doctor = book.doctors[fact.doctor_id]
            book.doctors[doctor.id] = replace(doctor, hours=fact.hours)
        case TimeBlocked():
            doctor = book.doctors[fact.doctor_id]
            added = TimeOff(fact.time_off_id, Interval(fact.starts_at, fact.ends_at), fact.note)
            book.doctors[doctor.id] = replace(doctor, time_off=(*doctor.time_off, added))
        case TimeUnblocked():
            doctor = book.doctors[fact.doctor_id]
            remaining = tuple(off for off in doctor.time_off if off.id != fact.time_off_id)
            book.doctors[doctor.id] = replace(doctor, time_off=remaining)
        case CommandConfirmed() | CommandRefused() | CommandFailed():
            pass


def _doctor(fact: DoctorFact) -> Doctor:
    return Doctor(
        id=fact.doctor_id,
        name=fact.name,
        specialty=fact.specialty,
        time_zone=fact.time_zone,
        active=fact.active,
        visit_types=fact.visit_types,
        policy=fact.policy,
    )


def _appointment(fact: AppointmentFact, booked_at: datetime) -> Appointment:
    return Appointment(
        id=fact.appointment_id,
        doctor_id=fact.doctor_id,
        patient_id=fact.patient_id,
        visit_type=fact.visit_type,
        visit=Interval(fact.starts_at, fact.ends_at),
        occupied=Interval(fact.occupied_from, fact.occupied_until),
        status=Status.BOOKED,
        version=fact.version,
        booked_at=booked_at,
        reason=fact.reason,
        promised_start=fact.promised_start,
    )
