"""The reasons for which a command is refused. A refusal is an answer, not an error."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Reason(StrEnum):
    """The reasons; clients rely on the names."""

    SLOT_TAKEN = "slot_taken"
    PATIENT_BUSY = "patient_busy"
    OUTSIDE_HOURS = "outside_hours"
    IN_TIME_OFF = "in_time_off"
    NOT_A_SLOT = "not_a_slot"
    IN_THE_PAST = "in_the_past"
    TOO_SOON = "too_soon"
    TOO_FAR_AHEAD = "too_far_ahead"
    TOO_LATE_TO_CHANGE = "too_late_to_change"
    TOO_MANY_ACTIVE = "too_many_active"
    UNKNOWN_DOCTOR = "unknown_doctor"
    DOCTOR_INACTIVE = "doctor_inactive"
    UNKNOWN_VISIT_TYPE = "unknown_visit_type"
    UNKNOWN_APPOINTMENT = "unknown_appointment"
    NOT_BOOKED = "not_booked"
    NOT_STARTED = "not_started"
    NOT_YOURS = "not_yours"
    CONFLICTS_WITH_BOOKINGS = "conflicts_with_bookings"
    OVERLAPPING_HOURS = "overlapping_hours"
    ALREADY_REGISTERED = "already_registered"
    UNKNOWN_TIME_OFF = "unknown_time_off"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    CHANGED_MEANWHILE = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal. `reason` is a plain code if only a newer release knows it; `count` is that of conflicts.

    `conflicts` are the conflicting appointments, known only at the decision and recorded as evidence.
    """

    reason: Reason | str
    count: int | None = None
    conflicts: tuple[UUID, ...] = field(default=(), compare=False)

    @property
    def detail(self) -> str:
        """One sentence for people."""
        if not isinstance(self.reason, Reason):
            return f"The request was refused ({self.reason})."
        return DETAILS[self.reason].format(count=self.count)


DETAILS = {
    Reason.SLOT_TAKEN: "The time is taken.",
    Reason.PATIENT_BUSY: "The patient has another appointment at that time.",
    Reason.OUTSIDE_HOURS: "Outside the doctor's working hours.",
    Reason.IN_TIME_OFF: "The doctor is on leave at that time.",
    Reason.NOT_A_SLOT: "The start time is not on the doctor's booking grid.",
    Reason.IN_THE_PAST: "That time is in the past.",
    Reason.TOO_SOON: "That is sooner than the doctor's minimum notice allows.",
    Reason.TOO_FAR_AHEAD: "That is further ahead than the doctor's calendar allows.",
    Reason.TOO_LATE_TO_CHANGE: "It is too late to change the appointment; please call the clinic.",
    Reason.TOO_MANY_ACTIVE: "The patient has reached the limit of upcoming appointments with this doctor.",
    Reason.UNKNOWN_DOCTOR: "Unknown doctor.",
    Reason.DOCTOR_INACTIVE: "The doctor does not accept new appointments.",
    Reason.UNKNOWN_VISIT_TYPE: "The doctor does not offer this visit type.",
    Reason.UNKNOWN_APPOINTMENT: "Unknown appointment.",
    Reason.NOT_BOOKED: "The appointment is no longer booked.",
    Reason.NOT_STARTED: "The appointment has not started yet.",
    Reason.NOT_YOURS: "The appointment belongs to another patient.",
    Reason.CONFLICTS_WITH_BOOKINGS: "{count} booked appointments conflict with this time off.",
    Reason.OVERLAPPING_HOURS: "Some of the working hours overlap.",
    Reason.ALREADY_REGISTERED: "A doctor with this id is already registered.",
    Reason.UNKNOWN_TIME_OFF: "Unknown time off.",
    Reason.IDEMPOTENCY_KEY_REUSED: "The idempotency key was used for another command.",
    Reason.CHANGED_MEANWHILE: "The appointment has been changed meanwhile.",
}
