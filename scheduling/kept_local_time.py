"""Moves a visit so that its local time stays the promised one after the rules of its time zone have changed.

The instant is the command's: the decision needs no zone data, and is the same whoever repeats it.
"""

from datetime import datetime

from contracts.commands import RescheduleAppointment
from contracts.events import AppointmentRescheduled, Fact
from contracts.refusals import Reason, Refusal
from scheduling.facts import previous_visit
from scheduling.opening_hours import Interval
from scheduling.state import Appointment, Book


def keep_local_time(
    book: Book, appointment: Appointment, command: RescheduleAppointment, promised_start: str, now: datetime
) -> list[Fact] | Refusal:
    """The move of a booked visit, as it is: with its length and buffers.

    Neither the weekly hours nor the visit types count, which may have changed since it was booked; time off,
    the doctor's other visits and the patient's do.
    """
    if command.doctor_id != appointment.doctor_id:
        return Refusal(Reason.CHANGED_MEANWHILE)
    by = command.starts_at - appointment.visit.starts
    visit, occupied = (
        Interval(when.starts + by, when.ends + by) for when in (appointment.visit, appointment.occupied)
    )
    if visit.starts <= now:
        return Refusal(Reason.IN_THE_PAST)
    if any(off.when.overlaps(visit) for off in book.doctors[appointment.doctor_id].time_off):
        return Refusal(Reason.IN_TIME_OFF)
    overlapping = book.occupied(appointment.doctor_id).overlapping(occupied)
    if taken := tuple(id_ for id_ in overlapping if id_ != appointment.id):
        return Refusal(Reason.SLOT_TAKEN, conflicts=taken)
    others = (other for other in book.booked_by(appointment.patient_id) if other.id != appointment.id)
    if clashes := tuple(other.id for other in others if other.visit.overlaps(visit)):
        return Refusal(Reason.PATIENT_BUSY, conflicts=clashes)
    moved = AppointmentRescheduled(
        appointment_id=appointment.id,
        doctor_id=appointment.doctor_id,
        patient_id=appointment.patient_id,
        visit_type=appointment.visit_type,
        starts_at=visit.starts,
        ends_at=visit.ends,
        occupied_from=occupied.starts,
        occupied_until=occupied.ends,
        version=appointment.version + 1,
        reason=appointment.reason,
        promised_start=promised_start,
        previous=previous_visit(appointment),
    )
    return [moved]
