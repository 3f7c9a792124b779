"""The commands to the appointment book, in the imperative.

A command contains no name, address or phone number of a patient; free text is encrypted beforehand.
"""

from enum import StrEnum
from typing import Literal, get_args
from uuid import UUID, uuid5

from pydantic import Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from contracts.doctors import DoctorChange, Policy, VisitTypes, WeeklyHours
from contracts.fields import Ciphertext, Code, Fingerprint, Instant, Model, OrNewer, SingleLineText, TimeZone
from contracts.promise import PromisedStart


class ActorKind(StrEnum):
    """The kinds of principals that act on the book."""

    PATIENT = "patient"
    STAFF = "staff"
    SYSTEM = "system"


class RecordedActor(Model):
    """The actor in a message about the past: the kind may be one that only a newer release knows."""

    kind: OrNewer[ActorKind]
    id: UUID

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedActor) and (self.kind, self.id) == (other.kind, other.id)


class Actor(RecordedActor):
    """The actor of a command. The kind must be known, because permissions depend on it."""

    kind: ActorKind


class CommandBase(Model):
    """Fields of every command. `doctor_id` is the record's key: the doctor whose book it is about."""

    command_id: UUID
    fingerprint: Fingerprint
    actor: Actor
    doctor_id: UUID


class RegisterDoctor(CommandBase):
    """Add a doctor."""

    name: SingleLineText
    specialty: SingleLineText
    time_zone: TimeZone
    visit_types: VisitTypes
    policy: Policy = Policy()


class UpdateDoctor(CommandBase, DoctorChange):
    """Change the given values; the others stay."""


class SetWeeklyHours(CommandBase):
    """Replace the weekly hours."""

    hours: WeeklyHours


class BlockTime(CommandBase):
    """Add time off. Booked appointments in it make a refusal or, with `cancel_conflicting`, are cancelled."""

    time_off_id: UUID
    starts_at: Instant
    ends_at: Instant
    note: Ciphertext | None = None
    cancel_conflicting: StrictBool = False

    @model_validator(mode="after")
    def _in_order(self) -> "BlockTime":
        if self.ends_at <= self.starts_at:
            raise PydanticCustomError("ends_before_start", "The time off must end after it starts")
        return self


class UnblockTime(CommandBase):
    """Remove time off."""

    time_off_id: UUID


class BookAppointment(CommandBase):
    """Take a slot for a patient."""

    appointment_id: UUID
    patient_id: UUID
    visit_type: Code
    starts_at: Instant
    reason: Ciphertext | None = None


class AppointmentCommand(CommandBase):
    """Fields of every command about an appointment; `expected_version`: only if it has that version."""

    appointment_id: UUID
    expected_version: StrictInt | None = Field(default=None, exclude_if=lambda version: version is None)


class RescheduleAppointment(AppointmentCommand):
    """Move an appointment to a slot of `doctor_id`, perhaps another doctor than before.

    `promised_start` is set when the rules of a time zone have changed (`clinic zones apply`): the visit moves
    as it is, so that its local time is the promised one.
    """

    starts_at: Instant
    visit_type: Code | None = None
    promised_start: PromisedStart | None = Field(default=None, exclude_if=lambda promise: promise is None)


class CancelAppointment(AppointmentCommand):
    """Cancel an appointment. `doctor_id` is the doctor it had when the command was sent.

    `asked_by`: on whose behalf the actor acts, as when a patient asks to be forgotten and the system cancels.
    """

    reason: Code | None = None
    asked_by: ActorKind | None = None


class VisitOutcome(StrEnum):
    """How a visit ended."""

    COMPLETED = "completed"
    NO_SHOW = "no_show"


class RecordOutcome(AppointmentCommand):
    """Record how a visit ended."""

    outcome: VisitOutcome


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
COMMAND_TYPES: tuple[type[Command], ...] = get_args(Command)
"""Append only: the first receipts name a command's type by its index."""


def derived_id(command_id: UUID, kind: Literal["doctor", "appointment", "time-off", "note"]) -> UUID:
    """The id of the object that a command, or another write with a key, creates: the same on every retry
    (RFC 9562, version 5)."""
    return uuid5(command_id, kind)
