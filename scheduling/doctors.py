"""Decisions about a doctor: registration, visit types and policy, weekly hours, time off."""

from datetime import date, datetime

from contracts.commands import BlockTime, RegisterDoctor, SetWeeklyHours, UnblockTime, UpdateDoctor
from contracts.doctors import WeeklyHours
from contracts.events import (
    CancelledBy,
    DoctorRegistered,
    DoctorUpdated,
    Fact,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
)
from contracts.refusals import Reason, Refusal
from scheduling.facts import cancelled
from scheduling.opening_hours import Interval
from scheduling.state import Book, Doctor


def register(book: Book, command: RegisterDoctor) -> list[Fact] | Refusal:
    if command.doctor_id in book.doctors:
        return Refusal(Reason.ALREADY_REGISTERED)
    return [
        DoctorRegistered(
            doctor_id=command.doctor_id,
            name=command.name,
            specialty=command.specialty,
            time_zone=command.time_zone,
            visit_types=command.visit_types,
            policy=command.policy,
            active=True,
        )
    ]


def change(
    book: Book, command: UpdateDoctor | SetWeeklyHours | BlockTime | UnblockTime, now: datetime
) -> list[Fact] | Refusal:
    doctor = book.doctors.get(command.doctor_id)
    if doctor is None:
        return Refusal(Reason.UNKNOWN_DOCTOR)
    match command:
        case UpdateDoctor():
            return [_updated(doctor, command)]
        case SetWeeklyHours():
            if _any_overlap(command.hours):
                return Refusal(Reason.OVERLAPPING_HOURS)
            return [WeeklyHoursSet(doctor_id=doctor.id, hours=command.hours)]
        case BlockTime():
            return _block(book, command, now)
        case UnblockTime():
            known = next((off for off in doctor.time_off if off.id == command.time_off_id), None)
            if known is None:
                return Refusal(Reason.UNKNOWN_TIME_OFF)
            return [
                TimeUnblocked(
                    doctor_id=doctor.id,
                    time_off_id=known.id,
                    starts_at=known.when.starts,
                    ends_at=known.when.ends,
                )
            ]


def _updated(doctor: Doctor, command: UpdateDoctor) -> DoctorUpdated:
    policy = doctor.policy if command.policy is None else command.policy.applied_to(doctor.policy)
    return DoctorUpdated(
        doctor_id=doctor.id,
        name=doctor.name if command.name is None else command.name,
        specialty=doctor.specialty if command.specialty is None else command.specialty,
        time_zone=doctor.time_zone if command.time_zone is None else command.time_zone,
        visit_types=doctor.visit_types if command.visit_types is None else command.visit_types,
        policy=policy,
        active=doctor.active if command.active is None else command.active,
    )


def _any_overlap(hours: WeeklyHours) -> bool:
    ordered = sorted(hours, key=lambda entry: (entry.weekday, entry.starts))
    for index, earlier in enumerate(ordered):
        for later in ordered[index + 1 :]:
            if later.weekday != earlier.weekday or later.starts >= earlier.ends:
                break
            if _valid_together(earlier.valid_from, later.valid_until) and _valid_together(
                later.valid_from, earlier.valid_until
            ):
                return True
    return False


def _valid_together(begins: date | None, ends: date | None) -> bool:
    return begins is None or ends is None or begins <= ends


def _block(book: Book, command: BlockTime, now: datetime) -> list[Fact] | Refusal:
    when = Interval(command.starts_at, command.ends_at)
    if when.ends <= now:
        return Refusal(Reason.IN_THE_PAST)
    overlapping = map(book.appointments.__getitem__, book.occupied(command.doctor_id).overlapping(when))
    conflicting = [found for found in overlapping if found.visit.overlaps(when) and found.visit.ends > now]
    if conflicting and not command.cancel_conflicting:
        ids = tuple(appointment.id for appointment in conflicting)
        return Refusal(Reason.CONFLICTS_WITH_BOOKINGS, len(conflicting), conflicts=ids)
    blocked = TimeBlocked(
        doctor_id=command.doctor_id,
        time_off_id=command.time_off_id,
        starts_at=when.starts,
        ends_at=when.ends,
        note=command.note,
    )
    return [blocked, *(cancelled(found, CancelledBy.CLINIC, "time_off") for found in conflicting)]
