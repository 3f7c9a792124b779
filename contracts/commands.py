"""Everything that can be asked of the appointment book: imperative, and complete when it is on the log.

A command carries no name, address or phone; free text is sealed before it gets here.
"""

from enum import StrEnum
from typing import Literal, get_args
from uuid import UUID, uuid5

from pydantic import ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from contracts.doctors import Policy, PolicyChange, VisitTypes, WeeklyHours
from contracts.fields import Ciphertext, Code, Fingerprint, Flag, Instant, Line, Model, TimeZone


class ActorKind(StrEnum):
    """Who may act."""

    PATIENT = "patient"
    STAFF = "staff"
    SYSTEM = "system"


class Actor(Model):
    """Who acts. The id is the patient's or the member of staff's."""

    kind: ActorKind
    id: UUID


class CommandBase(Model):
    """What every command has. `doctor_id` is the record's key: whose time, or whose book, it is about."""

    # A newer ingress may add fields that this worker need not know.
    model_config = ConfigDict(extra="ignore")

    command_id: UUID
    fingerprint: Fingerprint
    actor: Actor
    doctor_id: UUID


class RegisterDoctor(CommandBase):
    """Open a book for a doctor."""

    name: Line
    specialty: Line
    time_zone: TimeZone
    visit_types: VisitTypes
    policy: Policy = Policy()


class UpdateDoctor(CommandBase):
    """Change what is given; the rest stays."""

    name: Line | None = None
    specialty: Line | None = None
    time_zone: TimeZone | None = None
    visit_types: VisitTypes | None = None
    policy: PolicyChange | None = None
    active: Flag | None = None


class SetWeeklyHours(CommandBase):
    """Replace the weekly hours."""

    hours: WeeklyHours


class BlockTime(CommandBase):
    """Take time off; bookings in it are refused or, if so asked, cancelled."""

    time_off_id: UUID
    starts_at: Instant
    ends_at: Instant
    note: Ciphertext | None = None
    cancel_conflicting: Flag = False

    @model_validator(mode="after")
    def _in_order(self) -> "BlockTime":
        if self.ends_at <= self.starts_at:
            raise PydanticCustomError("ends_before_start", "The time off must end after it starts")
        return self


class UnblockTime(CommandBase):
    """Give time off back."""

    time_off_id: UUID


class BookAppointment(CommandBase):
    """Take a slot for a patient."""

    appointment_id: UUID
    patient_id: UUID
    visit_type: Code
    starts_at: Instant
    reason: Ciphertext | None = None


class RescheduleAppointment(CommandBase):
    """Move an appointment to a slot of `doctor_id`, who may be another doctor than before."""

    appointment_id: UUID
    starts_at: Instant
    visit_type: Code | None = None


class CancelAppointment(CommandBase):
    """Free the time of an appointment. `doctor_id` is the doctor it had when this was asked."""

    appointment_id: UUID
    reason: Code | None = None


class Outcome(StrEnum):
    """How a visit ended."""

    COMPLETED = "completed"
    NO_SHOW = "no_show"


class RecordOutcome(CommandBase):
    """Note how a visit ended."""

    appointment_id: UUID
    outcome: Outcome


Command = (
    RegisterDoctor
    | UpdateDoctor
    | SetWeeklyHours
    | BlockTime
    | UnblockTime
    | BookAppointment
    | RescheduleAppointment
    | CancelAppointment
    | RecordOutcome
)
COMMANDS: tuple[type[Command], ...] = get_args(Command)
"""Append only: a receipt names a command's type by its place here."""


def made_id(command_id: UUID, what: Literal["doctor", "appointment", "time-off"]) -> UUID:
    """The id of what a command makes: known before it is decided, the same on every retry (RFC 9562, v5)."""
    return uuid5(command_id, what)
