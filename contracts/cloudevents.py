"""Every message on Kafka, written and read as CloudEvents (`contracts.envelope`).

Readers accept what a newer release may write: more headers, more fields,
unknown types of events (docs/GUARANTEES.md, "Two releases side by side").
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.challenges import LoginChallenge
from contracts.commands import COMMAND_TYPES, Command
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.envelope import (
    VERSION_SUFFIX,
    Record,
    headers,
    read_uuid,
    sequence_of,
    type_name,
    unknown_type,
    validated,
)
from contracts.events import FACT_TYPES, Context, Fact, UnknownFact
from contracts.security import SECURITY_TYPES, SecurityEvent, UnknownSecurityEvent, principal

BOOKING_PREFIX = "clinic.booking."
SECURITY_PREFIX = "clinic.security."
AUTH_PREFIX = "clinic.auth."
INGRESS_SOURCE = "/clinic/ingress"
WORKER_SOURCE = "/clinic/booking-worker/partitions"


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the appointment book. `sequence` counts a partition's events from 1, without a gap."""

    id: UUID
    sequence: int
    context: Context
    fact: Fact

    @property
    def event_type(self) -> str:
        """The name of its type."""
        return type(self.fact).__name__


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event of a type that only a newer release knows."""

    id: UUID
    sequence: int
    context: Context
    fact: UnknownFact

    @property
    def event_type(self) -> str:
        """The name of its type."""
        return self.fact.type_name


def command_headers(
    command: Command, now: datetime, traceparent: str | None = None
) -> list[tuple[str, bytes]]:
    """The headers of a command. `now` is the time of sending."""
    type_ = f"{BOOKING_PREFIX}{type(command).__name__}{VERSION_SUFFIX}"
    return headers(type_, command.command_id, INGRESS_SOURCE, now, command.doctor_id, traceparent)


def event_headers(
    event_id: UUID,
    fact_type: str,
    decided_at: datetime,
    subject: str,
    partition: int,
    sequence: int,
    traceparent: str | None,
) -> list[tuple[str, bytes]]:
    """The headers of an event. The subject is the appointment's id, or else the doctor's."""
    type_ = f"{BOOKING_PREFIX}{fact_type}{VERSION_SUFFIX}"
    source = f"{WORKER_SOURCE}/{partition}"
    return headers(type_, event_id, source, decided_at, subject, traceparent, sequence)


def security_headers(event: SecurityEvent) -> list[tuple[str, bytes]]:
    """The headers of a security event. The subject is the patient or the appointment, or else the actor."""
    type_ = f"{SECURITY_PREFIX}{type(event).__name__}{VERSION_SUFFIX}"
    fields = vars(event)
    subject = fields.get("patient_id") or fields.get("appointment_id") or principal(event.actor)
    return headers(type_, event.event_id, INGRESS_SOURCE, event.occurred_at, subject)


def challenge_headers(challenge: LoginChallenge, now: datetime) -> list[tuple[str, bytes]]:
    """The headers of a login challenge. `now` is the time of sending."""
    id_ = challenge.challenge_id
    return headers(f"{AUTH_PREFIX}LoginChallenge{VERSION_SUFFIX}", id_, INGRESS_SOURCE, now, id_)


def command_key(command: Command) -> bytes:
    """The record's key: the doctor."""
    return str(command.doctor_id).encode()


def security_key(event: SecurityEvent | UnknownSecurityEvent) -> bytes:
    """The record's key: the actor."""
    return principal(event.actor).encode()


def challenge_key(challenge: LoginChallenge) -> bytes:
    """The record's key: the challenge."""
    return str(challenge.challenge_id).encode()


def decode_command(record: Record) -> Command:
    """The command that a record carries.

    Raises:
        UndecodableError: it carries none; the record belongs in the dead-letter topic.
    """
    attributes = dict(record.headers)
    command_id = read_uuid(attributes.get("ce_id"))
    try:
        model = _COMMANDS.get(type_name(attributes, BOOKING_PREFIX))
        if model is None:
            raise unknown_type()
        command = validated(model, record.value)
    except UndecodableError as error:
        error.command_id = command_id
        raise
    if command.command_id != command_id:
        # The two ids disagree, so no command can be given the decision.
        raise UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id is not the command's id")
    if record.key != command_key(command):
        raise UndecodableError(DeadLetterReason.WRONG_KEY, "the key is not the command's doctor", command_id)
    return command


def decode_event(record: Record) -> Event | UnknownEvent:
    """The event that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    attributes = dict(record.headers)
    name = type_name(attributes, BOOKING_PREFIX)
    model = _FACTS.get(name)
    if name in _COMMANDS:
        raise unknown_type()
    event_id, sequence = read_uuid(attributes.get("ce_id")), sequence_of(record)
    if event_id is None or sequence is None:
        raise UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id and ce_sequence are needed")
    context = validated(Context, record.value)
    if model is None:
        fact = validated(UnknownFact, record.value).model_copy(update={"type_name": name})
        return UnknownEvent(event_id, sequence, context, fact)
    return Event(event_id, sequence, context, validated(model, record.value))


def decode_known_event(record: Record) -> Event:
    """The event that a record carries, for readers that fold events: one of unknown type stops them.

    Raises:
        UndecodableError: it carries none, or one of a type that only a newer release knows.
    """
    event = decode_event(record)
    if isinstance(event, UnknownEvent):
        detail = f"only a newer release knows {event.fact.type_name}: without it the state would be wrong"
        raise UndecodableError(DeadLetterReason.UNKNOWN_TYPE, detail)
    return event


def decode_security_event(record: Record) -> SecurityEvent | UnknownSecurityEvent:
    """The security event that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    attributes = dict(record.headers)
    name = type_name(attributes, SECURITY_PREFIX, DeadLetterReason.NO_ENVELOPE)
    model = _SECURITY_EVENTS.get(name)
    event: SecurityEvent | UnknownSecurityEvent
    if model is None:
        event = validated(UnknownSecurityEvent, record.value).model_copy(update={"type_name": name})
    else:
        event = validated(model, record.value)
    if attributes.get("ce_id") != str(event.event_id).encode():
        raise UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id is not the event's id")
    if record.key != security_key(event):
        raise UndecodableError(DeadLetterReason.WRONG_KEY, "the key is not who acted")
    return event


def decode_challenge(record: Record) -> LoginChallenge:
    """The login challenge that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    if type_name(dict(record.headers), AUTH_PREFIX) != "LoginChallenge":
        raise unknown_type()
    return validated(LoginChallenge, record.value)


_COMMANDS: dict[str, type[Command]] = {model.__name__: model for model in COMMAND_TYPES}
_FACTS: dict[str, type[Fact]] = {model.__name__: model for model in FACT_TYPES}
_SECURITY_EVENTS: dict[str, type[SecurityEvent]] = {model.__name__: model for model in SECURITY_TYPES}
