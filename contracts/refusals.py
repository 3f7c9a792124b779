"""Why a command can be refused. A refusal is an answer, not an error."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason there is; clients rely on the names."""

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


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer no. `count` is how many bookings are in the way, where that is the reason."""

    reason: Reason
    count: int | None = None

    @property
    def detail(self) -> str:
        """One sentence for people."""
        return DETAILS[self.reason].format(count=self.count)


DETAILS = {
    Reason.SLOT_TAKEN: "The time is taken.",
    Reason.PATIENT_BUSY: "The patient has another appointment at that time.",
    Reason.OUTSIDE_HOURS: "The doctor has no hours then.",
    Reason.IN_TIME_OFF: "The doctor is away then.",
    Reason.NOT_A_SLOT: "Visits do not begin at that minute.",
    Reason.IN_THE_PAST: "That time is over.",
    Reason.TOO_SOON: "That is sooner than the doctor's minimum notice allows.",
    Reason.TOO_FAR_AHEAD: "That is further ahead than the doctor's calendar is open.",
    Reason.TOO_LATE_TO_CHANGE: "It is too late to change the appointment; please call the clinic.",
    Reason.TOO_MANY_ACTIVE: "The patient has as many upcoming appointments with this doctor as are allowed.",
    Reason.UNKNOWN_DOCTOR: "There is no such doctor.",
    Reason.DOCTOR_INACTIVE: "The doctor takes no new appointments.",
    Reason.UNKNOWN_VISIT_TYPE: "The doctor does not offer this visit type.",
    Reason.UNKNOWN_APPOINTMENT: "There is no such appointment.",
    Reason.NOT_BOOKED: "The appointment is not booked any more.",
    Reason.NOT_STARTED: "The appointment has not begun.",
    Reason.NOT_YOURS: "The appointment belongs to another patient.",
    Reason.CONFLICTS_WITH_BOOKINGS: "Appointments in that time: {count}.",
    Reason.OVERLAPPING_HOURS: "Some of the hours overlap.",
    Reason.ALREADY_REGISTERED: "A doctor with this id is registered already.",
    Reason.UNKNOWN_TIME_OFF: "There is no such time off.",
    Reason.IDEMPOTENCY_KEY_REUSED: "The idempotency key was used for another command.",
}
