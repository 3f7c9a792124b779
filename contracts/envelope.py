"""CloudEvents 1.0 in Kafka's binary content mode: attributes are headers `ce_…`, the value is the data.

See the CloudEvents Kafka protocol binding, section 3.2; `sequence` is the extension of that
name; `traceparent` is W3C Trace Context.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from contracts.commands import COMMANDS, Command
from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.events import FACTS, Context, Fact
from contracts.fields import rfc3339

TYPE_PREFIX = "clinic.booking."
VERSION_SUFFIX = ".v1"
COMMAND_SOURCE = b"/clinic/ingress"
EVENT_SOURCE = b"/clinic/booking-worker"
CONTENT_TYPE = ("content-type", b"application/json")

_SEQUENCE = re.compile(rb"[1-9][0-9]{0,17}")
Headers = list[tuple[str, bytes]]
M = TypeVar("M", bound=BaseModel)
_COMMANDS = {f"{TYPE_PREFIX}{model.__name__}{VERSION_SUFFIX}".encode(): model for model in COMMANDS}
_FACTS = {f"{TYPE_PREFIX}{model.__name__}{VERSION_SUFFIX}".encode(): model for model in FACTS}


@dataclass(frozen=True, slots=True)
class Event:
    """An event as consumers meet it. `sequence` counts a partition's events from 1, without a gap."""

    id: UUID
    sequence: int
    context: Context
    fact: Fact


def command_key(command: Command) -> bytes:
    """The record's key: the doctor."""
    return str(command.doctor_id).encode()


def command_headers(command: Command, now: datetime, traceparent: str | None = None) -> Headers:
    """The headers of a command. `now` is when the ingress sends it."""
    return _headers(
        command.command_id,
        type(command).__name__,
        COMMAND_SOURCE,
        now,
        str(command.doctor_id),
        traceparent,
    )


def event_headers(
    event_id: UUID, fact_type: str, decided_at: datetime, subject: str, sequence: int, traceparent: str | None
) -> Headers:
    """The headers of an event. The subject is the appointment's id, or else the doctor's."""
    headers = _headers(event_id, fact_type, EVENT_SOURCE, decided_at, subject, traceparent)
    return [*headers, ("ce_sequence", str(sequence).encode())]


def _headers(
    id_: UUID, type_name: str, source: bytes, time: datetime, subject: str, traceparent: str | None
) -> Headers:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(id_).encode()),
        ("ce_type", f"{TYPE_PREFIX}{type_name}{VERSION_SUFFIX}".encode()),
        ("ce_source", source),
        ("ce_time", rfc3339(time).encode()),
        ("ce_subject", subject.encode()),
        CONTENT_TYPE,
    ]
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return headers


def decode_command(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> Command:
    """The command that a record carries.

    Raises:
        UndecodableError: it carries none; the record belongs in the dead-letter topic.
    """
    attributes = dict(headers)
    command_id = _uuid(attributes.get("ce_id"))
    model = _model(attributes, _COMMANDS, command_id)
    command = _validated(model, value, command_id)
    if command.command_id != command_id:
        # Whose answer it would be is not known, so it is nobody's.
        raise UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id is not the command's id")
    if key != command_key(command):
        raise UndecodableError(DeadLetterReason.WRONG_KEY, "the key is not the command's doctor", command_id)
    return command


def decode_event(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Event:
    """The event that a record carries.

    Raises:
        UndecodableError: it carries none.
    """
    attributes = dict(headers)
    event_id = _uuid(attributes.get("ce_id"))
    model = _model(attributes, _FACTS, None)
    sequence = attributes.get("ce_sequence") or b""
    if event_id is None or not _SEQUENCE.fullmatch(sequence):
        raise UndecodableError(DeadLetterReason.BAD_HEADER, "ce_id and ce_sequence are needed")
    return Event(event_id, int(sequence), _validated(Context, value, None), _validated(model, value, None))


def _model(
    attributes: dict[str, bytes | None], models: dict[bytes, type[M]], command_id: UUID | None
) -> type[M]:
    if attributes.get("ce_specversion") != b"1.0":
        raise UndecodableError(DeadLetterReason.NO_ENVELOPE, "not CloudEvents 1.0 in binary mode", command_id)
    model = models.get(attributes.get("ce_type") or b"")
    if model is None:
        raise UndecodableError(
            DeadLetterReason.UNKNOWN_TYPE, "ce_type names no known type and version", command_id
        )
    return model


def _validated(model: type[M], value: bytes | None, command_id: UUID | None) -> M:
    try:
        return model.model_validate_json(value or b"")
    except ValidationError as error:
        # Where and what kind, never the value: it may be anything.
        found = "; ".join(
            f"/{'/'.join(map(str, item['loc']))} {item['type']}"
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:5]
        )
        raise UndecodableError(DeadLetterReason.INVALID_DATA, found, command_id) from None


def _uuid(value: bytes | None) -> UUID | None:
    try:
        return UUID((value or b"").decode())
    except ValueError:
        return None
