"""A small clinic for examples: a doctor in Berlin with hours on Monday mornings from nine to noon.

`NOW` is the Thursday before that Monday, noon UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts.commands import Actor, ActorKind
from contracts.commands import VisitOutcome as VisitOutcome
from contracts.doctors import Hours, Policy, VisitType
from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentFact,
    AppointmentRescheduled,
    CancelledBy,
    DoctorRegistered,
    DoctorUpdated,
    OutcomeRecorded,
    PreviousVisit,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
)
from contracts.fields import DAY_END

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MONDAY = date(2026, 3, 9)


def _id(kind: str, number: int) -> UUID:
    return UUID(f"{kind * 8}-0000-5000-8000-{number:012}")


DOCTOR, OTHER_DOCTOR = _id("d", 1), _id("d", 2)
PATIENT, OTHER_PATIENT = _id("a", 1), _id("a", 2)
APPOINTMENT, OTHER_APPOINTMENT = _id("b", 1), _id("b", 2)
TIME_OFF = _id("e", 1)
BY_PATIENT = Actor(kind=ActorKind.PATIENT, id=PATIENT)
BY_OTHER_PATIENT = Actor(kind=ActorKind.PATIENT, id=OTHER_PATIENT)
BY_STAFF = Actor(kind=ActorKind.STAFF, id=_id("f", 1))

CHECKUP = VisitType(code="checkup", name="Check-up", minutes=30)
SHORT = VisitType(code="short", name="Short visit", minutes=15)
SURGERY = VisitType(
    code="surgery", name="Surgery", minutes=60, buffer_before_minutes=15, buffer_after_minutes=30
)
VISIT_TYPES = (CHECKUP, SHORT, SURGERY)


def appointment_id(number: int) -> UUID:
    """One of many appointments."""
    return _id("b", number)


def on(day: date, wall: str, time_zone: str = BERLIN, fold: int = 0) -> datetime:
    """The instant of a local time; `fold` 1 is the second of two."""
    local = datetime.combine(day, time.fromisoformat(wall), ZoneInfo(time_zone)).replace(fold=fold)
    return local.astimezone(UTC)


def monday(wall: str) -> datetime:
    """The instant of a local time on the Monday after `NOW`."""
    return on(MONDAY, wall)


def entry(
    weekday: int, starts: str, ends: str, valid_from: date | None = None, valid_until: date | None = None
) -> Hours:
    """Hours on a weekday, Monday is 1."""
    return Hours(
        weekday=weekday,
        starts=time.fromisoformat(starts),
        ends=DAY_END if ends == "24:00" else time.fromisoformat(ends),
        valid_from=valid_from,
        valid_until=valid_until,
    )


MONDAY_MORNING = entry(1, "09:00", "12:00")


def registered(
    doctor: UUID = DOCTOR,
    time_zone: str = BERLIN,
    visit_types: tuple[VisitType, ...] = VISIT_TYPES,
    policy: Policy = Policy(),  # noqa: B008 - immutable
    active: bool = True,
) -> DoctorRegistered:
    return DoctorRegistered(
        doctor_id=doctor,
        name="Dr. Ada Holm",
        specialty="general practice",
        time_zone=time_zone,
        visit_types=visit_types,
        policy=policy,
        active=active,
    )


def updated(before: DoctorRegistered, **changed: object) -> DoctorUpdated:
    """The doctor's event after some values changed."""
    return DoctorUpdated.model_validate(dict(before) | changed)


def hours_set(*hours: Hours, doctor: UUID = DOCTOR) -> WeeklyHoursSet:
    return WeeklyHoursSet(doctor_id=doctor, hours=hours)


def a_doctor(
    doctor: UUID = DOCTOR,
    hours: tuple[Hours, ...] = (MONDAY_MORNING,),
    time_zone: str = BERLIN,
    visit_types: tuple[VisitType, ...] = VISIT_TYPES,
    policy: Policy = Policy(),  # noqa: B008 - immutable
    active: bool = True,
) -> tuple[DoctorRegistered, WeeklyHoursSet]:
    """A registered doctor with hours on Monday mornings unless other hours are given."""
    return (
        registered(doctor, time_zone, visit_types, policy, active),
        hours_set(*hours, doctor=doctor),
    )


def booked(
    starts_at: datetime,
    visit_type: VisitType = CHECKUP,
    doctor: UUID = DOCTOR,
    patient: UUID = PATIENT,
    appointment: UUID = APPOINTMENT,
    reason: str | None = None,
    time_zone: str = BERLIN,
) -> AppointmentBooked:
    before, length, after = (
        timedelta(minutes=minutes)
        for minutes in (
            visit_type.buffer_before_minutes,
            visit_type.minutes,
            visit_type.buffer_after_minutes,
        )
    )
    return AppointmentBooked(
        appointment_id=appointment,
        doctor_id=doctor,
        patient_id=patient,
        visit_type=visit_type.code,
        starts_at=starts_at,
        ends_at=starts_at + length,
        occupied_from=starts_at - before,
        occupied_until=starts_at + length + after,
        version=1,
        reason=reason,
        promised_start=f"{starts_at.astimezone(ZoneInfo(time_zone)).isoformat()}[{time_zone}]",
    )


def moved(before: AppointmentFact, to: AppointmentBooked) -> AppointmentRescheduled:
    """The same appointment at the time of `to`."""
    kept = {"appointment_id", "patient_id", "reason"}
    previous = PreviousVisit.model_validate(before.model_dump(include=set(PreviousVisit.model_fields)))
    values = dict(to) | before.model_dump(include=kept)
    return AppointmentRescheduled(**values | {"version": before.version + 1}, previous=previous)


def cancelled(
    before: AppointmentFact, by: CancelledBy = CancelledBy.STAFF, reason: str | None = None
) -> AppointmentCancelled:
    values = {name: getattr(before, name) for name in AppointmentFact.model_fields}
    return AppointmentCancelled(
        **values | {"version": before.version + 1}, cancelled_by=by, cancel_reason=reason
    )


def ended(
    before: AppointmentFact | OutcomeRecorded, outcome: VisitOutcome = VisitOutcome.COMPLETED
) -> OutcomeRecorded:
    """The outcome of a visit, or a correction of that."""
    return OutcomeRecorded(
        appointment_id=before.appointment_id,
        doctor_id=before.doctor_id,
        patient_id=before.patient_id,
        outcome=outcome,
        version=before.version + 1,
        previous_status=before.outcome if isinstance(before, OutcomeRecorded) else "booked",
    )


def blocked(starts_at: datetime, ends_at: datetime, note: str | None = None) -> TimeBlocked:
    return TimeBlocked(
        doctor_id=DOCTOR, time_off_id=TIME_OFF, starts_at=starts_at, ends_at=ends_at, note=note
    )


def unblocked(starts_at: datetime, ends_at: datetime) -> TimeUnblocked:
    return TimeUnblocked(doctor_id=DOCTOR, time_off_id=TIME_OFF, starts_at=starts_at, ends_at=ends_at)
