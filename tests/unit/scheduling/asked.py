"""The nine commands, with defaults for the fields that an example does not care about."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from contracts.commands import (
    Actor,
    ActorKind,
    BlockTime,
    BookAppointment,
    CancelAppointment,
    RecordOutcome,
    RegisterDoctor,
    RescheduleAppointment,
    SetWeeklyHours,
    UnblockTime,
    UpdateDoctor,
    VisitOutcome,
)
from contracts.doctors import Hours, Policy, PolicyChange, VisitType
from tests.unit.scheduling.clinic import (
    APPOINTMENT,
    BERLIN,
    BY_PATIENT,
    BY_STAFF,
    DOCTOR,
    PATIENT,
    TIME_OFF,
    VISIT_TYPES,
)

COMMAND_ID = UUID("cccccccc-0000-5000-8000-000000000001")
FINGERPRINT = "0" * 32


class _Common(TypedDict):
    command_id: UUID
    fingerprint: str
    actor: Actor
    doctor_id: UUID


def _common(actor: Actor, doctor: UUID) -> _Common:
    return {"command_id": COMMAND_ID, "fingerprint": FINGERPRINT, "actor": actor, "doctor_id": doctor}


def register(
    doctor: UUID = DOCTOR,
    time_zone: str = BERLIN,
    visit_types: tuple[VisitType, ...] = VISIT_TYPES,
    policy: Policy = Policy(),  # noqa: B008 - immutable
) -> RegisterDoctor:
    return RegisterDoctor(
        **_common(BY_STAFF, doctor),
        name="Dr. Ada Holm",
        specialty="general practice",
        time_zone=time_zone,
        visit_types=visit_types,
        policy=policy,
    )


def update(
    doctor: UUID = DOCTOR,
    name: str | None = None,
    specialty: str | None = None,
    time_zone: str | None = None,
    visit_types: tuple[VisitType, ...] | None = None,
    policy: PolicyChange | None = None,
    active: bool | None = None,
) -> UpdateDoctor:
    return UpdateDoctor(
        **_common(BY_STAFF, doctor),
        name=name,
        specialty=specialty,
        time_zone=time_zone,
        visit_types=visit_types,
        policy=policy,
        active=active,
    )


def set_hours(*hours: Hours, doctor: UUID = DOCTOR) -> SetWeeklyHours:
    return SetWeeklyHours(**_common(BY_STAFF, doctor), hours=hours)


def block(
    starts_at: datetime,
    ends_at: datetime,
    cancel_conflicting: bool = False,
    doctor: UUID = DOCTOR,
    time_off: UUID = TIME_OFF,
    note: str | None = None,
) -> BlockTime:
    return BlockTime(
        **_common(BY_STAFF, doctor),
        time_off_id=time_off,
        starts_at=starts_at,
        ends_at=ends_at,
        note=note,
        cancel_conflicting=cancel_conflicting,
    )


def unblock(doctor: UUID = DOCTOR, time_off: UUID = TIME_OFF) -> UnblockTime:
    return UnblockTime(**_common(BY_STAFF, doctor), time_off_id=time_off)


def book(
    starts_at: datetime,
    visit_type: VisitType | str = "checkup",
    by: Actor = BY_PATIENT,
    doctor: UUID = DOCTOR,
    patient: UUID = PATIENT,
    appointment: UUID = APPOINTMENT,
    reason: str | None = None,
) -> BookAppointment:
    return BookAppointment(
        **_common(by, doctor),
        appointment_id=appointment,
        patient_id=patient,
        visit_type=visit_type.code if isinstance(visit_type, VisitType) else visit_type,
        starts_at=starts_at,
        reason=reason,
    )


def reschedule(
    starts_at: datetime,
    visit_type: str | None = None,
    by: Actor = BY_PATIENT,
    doctor: UUID = DOCTOR,
    appointment: UUID = APPOINTMENT,
    expected_version: int | None = None,
    promised_start: str | None = None,
) -> RescheduleAppointment:
    return RescheduleAppointment(
        **_common(by, doctor),
        appointment_id=appointment,
        starts_at=starts_at,
        visit_type=visit_type,
        expected_version=expected_version,
        promised_start=promised_start,
    )


def cancel(
    by: Actor = BY_PATIENT,
    doctor: UUID = DOCTOR,
    appointment: UUID = APPOINTMENT,
    reason: str | None = None,
    asked_by: ActorKind | None = None,
    expected_version: int | None = None,
) -> CancelAppointment:
    return CancelAppointment(
        **_common(by, doctor),
        appointment_id=appointment,
        reason=reason,
        asked_by=asked_by,
        expected_version=expected_version,
    )


def record(
    outcome: VisitOutcome = VisitOutcome.COMPLETED,
    by: Actor = BY_STAFF,
    doctor: UUID = DOCTOR,
    appointment: UUID = APPOINTMENT,
    expected_version: int | None = None,
) -> RecordOutcome:
    return RecordOutcome(
        **_common(by, doctor),
        appointment_id=appointment,
        outcome=outcome,
        expected_version=expected_version,
    )
