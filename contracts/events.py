"""Everything that can have happened to the appointment book, in the past tense.

An event on the log is one flat JSON object: its `Context` (which command, whose, decided when, from where)
and its fact.
"""

from enum import StrEnum
from typing import get_args
from uuid import UUID

from pydantic import ConfigDict

from contracts.commands import Actor, Outcome
from contracts.dead_letters import DeadLetterReason
from contracts.doctors import Policy, VisitTypes, WeeklyHours
from contracts.fields import Ciphertext, Code, Fingerprint, Flag, Instant, Line, Model, TimeZone, Whole
from contracts.refusals import Reason


class Source(Model):
    """Where the command stands on `booking.commands.v1`."""

    partition: Whole
    offset: Whole


class Context(Model):
    """What every event has. `decided_at` is the command's broker time.

    `fingerprint` is None only for a command that could not be read.
    """

    model_config = ConfigDict(extra="ignore")

    command_id: UUID
    command_type: str
    fingerprint: Fingerprint | None
    actor: Actor
    decided_at: Instant
    source: Source


class FactBase(Model):
    """What is said of one kind of event alone."""

    model_config = ConfigDict(extra="ignore")


class DoctorRegistered(FactBase):
    """A doctor has a book."""

    doctor_id: UUID
    name: Line
    specialty: Line
    time_zone: TimeZone
    visit_types: VisitTypes
    policy: Policy
    active: Flag


class DoctorUpdated(DoctorRegistered):
    """The values after the change, all of them."""


class WeeklyHoursSet(FactBase):
    """The doctor's weekly hours from now on."""

    doctor_id: UUID
    hours: WeeklyHours


class TimeBlocked(FactBase):
    """The doctor is away."""

    doctor_id: UUID
    time_off_id: UUID
    starts_at: Instant
    ends_at: Instant
    note: Ciphertext | None = None


class TimeUnblocked(FactBase):
    """The doctor is not away after all."""

    doctor_id: UUID
    time_off_id: UUID
    starts_at: Instant
    ends_at: Instant


class CancelledBy(StrEnum):
    """Who cancelled. `clinic` when time off did."""

    PATIENT = "patient"
    STAFF = "staff"
    CLINIC = "clinic"


class AppointmentFact(FactBase):
    """An appointment after the event. `occupied_…` is the visit with its buffers."""

    appointment_id: UUID
    doctor_id: UUID
    patient_id: UUID
    visit_type: Code
    starts_at: Instant
    ends_at: Instant
    occupied_from: Instant
    occupied_until: Instant
    version: Whole
    reason: Ciphertext | None = None


class AppointmentBooked(AppointmentFact):
    """A patient has a time."""


class Place(Model):
    """Where an appointment was before it moved."""

    doctor_id: UUID
    visit_type: Code
    starts_at: Instant
    ends_at: Instant


class AppointmentRescheduled(AppointmentFact):
    """The appointment has another time, and perhaps another doctor."""

    previous: Place


class AppointmentCancelled(AppointmentFact):
    """The time is free again."""

    cancelled_by: CancelledBy
    cancel_reason: Code | None = None


class OutcomeRecorded(FactBase):
    """The visit is over."""

    appointment_id: UUID
    doctor_id: UUID
    patient_id: UUID
    outcome: Outcome
    version: Whole


class CommandConfirmed(FactBase):
    """The command found done what it asks for; nothing changed."""

    appointment_id: UUID
    doctor_id: UUID


class CommandRefused(FactBase):
    """The answer was no, and nothing changed."""

    reason: Reason
    count: Whole | None = None
    appointment_id: UUID | None = None
    doctor_id: UUID | None = None
    time_off_id: UUID | None = None


class CommandFailed(FactBase):
    """The command can not be decided; it is in the dead-letter topic."""

    reason: DeadLetterReason
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
FACTS: tuple[type[Fact], ...] = get_args(Fact)


def encode_data(context_json: str, fact: Fact) -> str:
    """The event's flat JSON. `context_json` is `Context.model_dump_json()`, made once per decision."""
    return f"{context_json[:-1]},{fact.model_dump_json()[1:]}"
