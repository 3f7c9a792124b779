"""One full example of every command and every fact: each field set, so that a round trip can lose none."""

from datetime import UTC, date, datetime, time
from uuid import UUID

from contracts.commands import (
    Actor,
    ActorKind,
    BlockTime,
    BookAppointment,
    CancelAppointment,
    Command,
    RecordedActor,
    RecordOutcome,
    RegisterDoctor,
    RescheduleAppointment,
    SetWeeklyHours,
    UnblockTime,
    UpdateDoctor,
    VisitOutcome,
)
from contracts.dead_letters import DeadLetterReason
from contracts.doctors import Hours, Policy, PolicyChange, VisitType
from contracts.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentRescheduled,
    AppointmentSeen,
    CancelledBy,
    CommandConfirmed,
    CommandFailed,
    CommandRefused,
    Context,
    DoctorRegistered,
    DoctorUpdated,
    Evidence,
    Fact,
    OutcomeRecorded,
    PreviousVisit,
    Source,
    TimeBlocked,
    TimeUnblocked,
    WeeklyHoursSet,
)
from contracts.refusals import Reason

COMMAND_ID = UUID("c0000000-0000-5000-8000-000000000001")
DOCTOR = UUID("d0000000-0000-5000-8000-000000000001")
OTHER_DOCTOR = UUID("d0000000-0000-5000-8000-000000000002")
PATIENT = UUID("a0000000-0000-4000-8000-000000000001")
APPOINTMENT = UUID("b0000000-0000-5000-8000-000000000001")
TIME_OFF = UUID("e0000000-0000-5000-8000-000000000001")
EVENT_ID = UUID("f0000000-0000-5000-8000-000000000001")
FINGERPRINT = "0123456789abcdef0123456789abcdef"
SEALED = "c2VhbGVkX3RleHQ"
NOW = datetime(2026, 3, 5, 12, 0, 0, 123_000, tzinfo=UTC)
NINE = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
HALF_PAST = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
NOON = datetime(2026, 3, 9, 11, 0, tzinfo=UTC)

BY_PATIENT = Actor(kind=ActorKind.PATIENT, id=PATIENT)
CHECKUP = VisitType(
    code="checkup", name="Vorsorge – groß", minutes=30, buffer_before_minutes=5, buffer_after_minutes=10
)
HOURS = (
    Hours(weekday=1, starts=time(9), ends=time(12, 30)),
    Hours(
        weekday=7,
        starts=time(0),
        ends=time(23, 59),
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
    ),
)
POLICY = Policy(
    slot_minutes=20,
    min_notice_minutes=0,
    horizon_days=30,
    change_notice_minutes=1,
    max_active_per_patient=9,
)
CHANGE = PolicyChange(
    slot_minutes=10,
    min_notice_minutes=1,
    horizon_days=2,
    change_notice_minutes=3,
    max_active_per_patient=4,
)

register = RegisterDoctor(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    name="Dr. Ada Ünlü",
    specialty="cardiology",
    time_zone="Europe/Berlin",
    visit_types=(CHECKUP,),
    policy=POLICY,
)
update = UpdateDoctor(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    name="Dr. Ada",
    specialty="angiology",
    time_zone="Australia/Lord_Howe",
    visit_types=(CHECKUP,),
    policy=CHANGE,
    active=False,
)
set_hours = SetWeeklyHours(
    command_id=COMMAND_ID, fingerprint=FINGERPRINT, actor=BY_PATIENT, doctor_id=DOCTOR, hours=HOURS
)
block = BlockTime(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    time_off_id=TIME_OFF,
    starts_at=NINE,
    ends_at=NOON,
    note=SEALED,
    cancel_conflicting=True,
)
unblock = UnblockTime(
    command_id=COMMAND_ID, fingerprint=FINGERPRINT, actor=BY_PATIENT, doctor_id=DOCTOR, time_off_id=TIME_OFF
)
book = BookAppointment(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    appointment_id=APPOINTMENT,
    patient_id=PATIENT,
    visit_type="checkup",
    starts_at=NINE,
    reason=SEALED,
)
reschedule = RescheduleAppointment(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    appointment_id=APPOINTMENT,
    starts_at=NOON,
    visit_type="checkup",
    expected_version=1,
    promised_start="2026-03-09T12:00:00+01:00[Europe/Berlin]",
)
cancel = CancelAppointment(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    appointment_id=APPOINTMENT,
    reason="doctor-ill",
    expected_version=1,
)
record = RecordOutcome(
    command_id=COMMAND_ID,
    fingerprint=FINGERPRINT,
    actor=BY_PATIENT,
    doctor_id=DOCTOR,
    appointment_id=APPOINTMENT,
    outcome=VisitOutcome.NO_SHOW,
    expected_version=1,
)
COMMAND_EXAMPLES: tuple[Command, ...] = (
    register, update, set_hours, block, unblock, book, reschedule, cancel, record,
)  # fmt: skip

context = Context(
    command_id=COMMAND_ID,
    command_type="BookAppointment",
    fingerprint=FINGERPRINT,
    actor=RecordedActor(kind=ActorKind.PATIENT, id=PATIENT),
    decided_at=NOW,
    source=Source(partition=11, offset=2**40),
    evidence=Evidence(
        appointments=(AppointmentSeen(appointment_id=APPOINTMENT, version=3, status="booked"),),
        change_notice_minutes=120,
    ),
    zone_data="2026.6",
)
registered = DoctorRegistered(
    doctor_id=DOCTOR,
    name="Dr. Ada Ünlü",
    specialty="cardiology",
    time_zone="Europe/Berlin",
    visit_types=(CHECKUP,),
    policy=POLICY,
    active=True,
)
booked = AppointmentBooked(
    appointment_id=APPOINTMENT,
    doctor_id=DOCTOR,
    patient_id=PATIENT,
    visit_type="checkup",
    starts_at=NINE,
    ends_at=HALF_PAST,
    occupied_from=NINE.replace(hour=7, minute=55),
    occupied_until=HALF_PAST.replace(minute=40),
    version=1,
    reason=SEALED,
    promised_start="2026-03-09T09:00:00+01:00[Europe/Berlin]",
)
FACT_EXAMPLES: tuple[Fact, ...] = (
    registered,
    DoctorUpdated(**dict(registered) | {"active": False}),
    WeeklyHoursSet(doctor_id=DOCTOR, hours=HOURS),
    TimeBlocked(doctor_id=DOCTOR, time_off_id=TIME_OFF, starts_at=NINE, ends_at=NOON, note=SEALED),
    TimeUnblocked(doctor_id=DOCTOR, time_off_id=TIME_OFF, starts_at=NINE, ends_at=NOON),
    booked,
    AppointmentRescheduled(
        **dict(booked) | {"version": 2},
        previous=PreviousVisit(
            doctor_id=OTHER_DOCTOR,
            visit_type="short",
            starts_at=NINE,
            ends_at=HALF_PAST,
            promised_start="2026-03-09T08:00:00+00:00[Europe/London]",
        ),
    ),
    AppointmentCancelled(
        **dict(booked) | {"version": 2}, cancelled_by=CancelledBy.CLINIC, cancel_reason="time_off"
    ),
    OutcomeRecorded(
        appointment_id=APPOINTMENT,
        doctor_id=DOCTOR,
        patient_id=PATIENT,
        outcome=VisitOutcome.COMPLETED,
        version=1,
    ),
    CommandConfirmed(appointment_id=APPOINTMENT, doctor_id=DOCTOR),
    CommandRefused(
        reason=Reason.CONFLICTS_WITH_BOOKINGS,
        count=3,
        appointment_id=APPOINTMENT,
        doctor_id=DOCTOR,
        time_off_id=TIME_OFF,
    ),
    CommandFailed(reason=DeadLetterReason.HANDLER_ERROR, doctor_id=DOCTOR),
)
