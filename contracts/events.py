"""The events of the appointment book, in the past tense.

An event on the log is one flat JSON object: its `Context` (the command, its sender, the time of the decision)
and its fact.
"""

from enum import StrEnum
from typing import get_args
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from contracts.commands import RecordedActor, VisitOutcome
from contracts.dead_letters import DeadLetterReason
from contracts.doctors import Policy, VisitTypes, WeeklyHours
from contracts.fields import Ciphertext, Code, Fingerprint, Instant, Model, OrNewer, SingleLineText
from contracts.promise import PromisedStart
from contracts.refusals import Reason


class Source(Model):
    """The command's position on `booking.commands.v1`."""

    partition: StrictInt
    offset: StrictInt


class AppointmentSeen(Model):
    """The state of an appointment that a decision looked at. An outcome does not change the version."""

    appointment_id: UUID
    version: StrictInt
    status: Code


class Evidence(Model):
    """What a decision depends on beyond its own partition's events (`scheduling.evidence`).

    `change_notice_minutes` is the change notice of the doctor of the appointment that the command names, if
    that is not the command's doctor.
    """

    appointments: tuple[AppointmentSeen, ...] = Field(default=(), exclude_if=lambda seen: not seen)
    change_notice_minutes: StrictInt | None = Field(default=None, exclude_if=lambda minutes: minutes is None)


class Context(Model):
    """Fields of every event. `decided_at` is the command's broker time.

    `fingerprint` is None only for a command that could not be read; `evidence` is None for a command that
    could not be decided. `zone_data` is the version of the zone data (`2026.6`) that it was decided with.
    Events of releases that did not record one of them have None.
    """

    command_id: UUID
    command_type: str
    fingerprint: Fingerprint | None
    actor: RecordedActor
    decided_at: Instant
    source: Source
    evidence: Evidence | None = Field(default=None, exclude_if=lambda evidence: evidence is None)
    zone_data: str | None = Field(default=None, exclude_if=lambda version: version is None)


class DoctorFact(Model):
    """A doctor's values after the event, all of them."""

    doctor_id: UUID
    name: SingleLineText
    specialty: SingleLineText
    time_zone: str  # not validated: the reader's zone data may differ
    visit_types: VisitTypes
    policy: Policy
    active: StrictBool


class DoctorRegistered(DoctorFact):
    """A new doctor, who has no hours yet."""


class DoctorUpdated(DoctorFact):
    """A doctor's values were changed."""


class WeeklyHoursSet(Model):
    """The doctor's weekly hours from now on."""

    doctor_id: UUID
    hours: WeeklyHours


class TimeBlocked(Model):
    """Time off was added."""

    doctor_id: UUID
    time_off_id: UUID
    starts_at: Instant
    ends_at: Instant
    note: Ciphertext | None = None


class TimeUnblocked(Model):
    """Time off was removed."""

    doctor_id: UUID
    time_off_id: UUID
    starts_at: Instant
    ends_at: Instant


class CancelledBy(StrEnum):
    """The party that cancelled; `clinic` for a cancellation by time off."""

    PATIENT = "patient"
    STAFF = "staff"
    CLINIC = "clinic"


class AppointmentFact(Model):
    """An appointment after the event. `occupied_…` is the visit with its buffers.

    `promised_start` is None in events of releases that did not record it.
    """

    appointment_id: UUID
    doctor_id: UUID
    patient_id: UUID
    visit_type: Code
    starts_at: Instant
    ends_at: Instant
    occupied_from: Instant
    occupied_until: Instant
    version: StrictInt
    reason: Ciphertext | None = None
    promised_start: PromisedStart | None = None


class AppointmentBooked(AppointmentFact):
    """A slot was taken for a patient."""


class PreviousVisit(Model):
    """The appointment's time and doctor before it moved."""

    doctor_id: UUID
    visit_type: Code
    starts_at: Instant
    ends_at: Instant
    promised_start: PromisedStart | None = None


class AppointmentRescheduled(AppointmentFact):
    """The appointment has another time, and perhaps another doctor."""

    previous: PreviousVisit


class AppointmentCancelled(AppointmentFact):
    """The appointment was cancelled; its time is free again."""

    cancelled_by: OrNewer[CancelledBy]
    cancel_reason: Code | None = None


class OutcomeRecorded(Model):
    """How the visit ended. `previous_status`: the appointment's before, an outcome if this corrects it.

    Earlier releases did not record that, and left the appointment's version as it was.
    """

    appointment_id: UUID
    doctor_id: UUID
    patient_id: UUID
    outcome: OrNewer[VisitOutcome]
    version: StrictInt
    previous_status: Code | None = None


class CommandConfirmed(Model):
    """The command was already fulfilled; nothing changed."""

    appointment_id: UUID
    doctor_id: UUID


class CommandRefused(Model):
    """The command was refused; nothing changed."""

    reason: OrNewer[Reason]
    count: StrictInt | None = None
    appointment_id: UUID | None = None
    doctor_id: UUID | None = None
    time_off_id: UUID | None = None


class CommandFailed(Model):
    """The command cannot be decided; it is on the dead-letter topic."""

    reason: OrNewer[DeadLetterReason]
    doctor_id: UUID | None = None


Fact = (
    DoctorRegistered
    | DoctorUpdated
    | WeeklyHoursSet
    | TimeBlocked
    | TimeUnblocked
    | AppointmentBooked
    | AppointmentRescheduled
    | AppointmentCancelled
    | OutcomeRecorded
    | CommandConfirmed
    | CommandRefused
    | CommandFailed
)
FACT_TYPES: tuple[type[Fact], ...] = get_args(Fact)


class UnknownFact(Model):
    """A fact of a type that only a newer release knows: the fields that can be read of any type."""

    type_name: str = ""
    appointment_id: UUID | None = None
    doctor_id: UUID | None = None
    patient_id: UUID | None = None


def encode_data(context_json: str, fact: Fact) -> str:
    """The event's flat JSON. `context_json` is `Context.model_dump_json()`, made once per decision."""
    return f"{context_json[:-1]},{fact.model_dump_json()[1:]}"
