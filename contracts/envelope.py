"""The envelope of messages on Kafka: CloudEvents 1.0, binary mode. Headers are attributes, values the data.

See the CloudEvents Kafka protocol binding, section 3.2; `sequence` is the extension of that name;
`traceparent` is W3C Trace Context.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from contracts.dead_letters import DeadLetterReason, UndecodableError
from contracts.fields import rfc3339

Headers = Sequence[tuple[str, bytes | None]]

VERSION_SUFFIX = ".v1"  # another version is a breaking change, which readers reject
# Zero-padded, because the `sequence` extension compares strings. 20 digits hold every 64-bit number. Older
# events have the number without padding, so both are read.
SEQUENCE_DIGITS = 20
# Tells that a worker wrote an event (`infra.crypto.event_mac`). Readers of earlier releases ignore it.
MAC_HEADER = "ce_mac"
_SEQUENCE = re.compile(rb"(?=0*[1-9])[0-9]{1,20}")
_SEQUENCE_MAX = 2**63 - 1
_NAME_AND_VERSION = re.compile(rb"([A-Z][A-Za-z]{0,63})\.v1")
_DETAILS_MAX = 5

M = TypeVar("M", bound=BaseModel)


class Record(Protocol):
    """The parts of a Kafka record that make a message."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Message(NamedTuple):
    """A record that was not read from Kafka."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def headers(
    type_: str,
    id_: UUID,
    source: str,
    time: datetime,
    subject: object,
    traceparent: str | None = None,
    sequence: int | None = None,
) -> list[tuple[str, bytes]]:
    """The headers of a message. `type_` is the full CloudEvents type, with prefix and version."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": str(id_),
        "ce_type": type_,
        "ce_source": source,
        "ce_time": rfc3339(time),
        "ce_subject": str(subject),
        "content-type": "application/json",
    }
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    if sequence is not None:
        attributes["ce_sequence"] = f"{sequence:0{SEQUENCE_DIGITS}}"
    return [(name, value.encode()) for name, value in attributes.items()]


def sequence_of(record: Record) -> int | None:
    """The event's number in its partition; None for a record that no worker wrote."""
    digits = dict(record.headers).get("ce_sequence") or b""
    if not _SEQUENCE.fullmatch(digits):
        return None
    sequence = int(digits)
    return sequence if sequence <= _SEQUENCE_MAX else None


def type_name(
    attributes: dict[str, bytes | None],
    prefix: str,
    foreign: DeadLetterReason = DeadLetterReason.UNKNOWN_TYPE,
) -> str:
    """The type without its prefix and version, `AppointmentBooked`. `foreign`: for another prefix."""
    if attributes.get("ce_specversion") != b"1.0":
        raise UndecodableError(DeadLetterReason.NO_ENVELOPE, "not CloudEvents 1.0 in binary mode")
    type_, start = attributes.get("ce_type") or b"", prefix.encode()
    if not type_.startswith(start):
        raise UndecodableError(foreign, f"ce_type does not begin with {prefix}")
    found = _NAME_AND_VERSION.fullmatch(type_.removeprefix(start))
    if found is None:
        raise unknown_type()
    return found[1].decode()


def unknown_type() -> UndecodableError:
    """The error for an unknown type."""
    return UndecodableError(DeadLetterReason.UNKNOWN_TYPE, "ce_type names no known type and version")


def validated(model: type[M], value: bytes | None) -> M:
    """The data, parsed by the model. Raises `UndecodableError`."""
    try:
        return model.model_validate_json(value or b"")
    except ValidationError as error:
        # The locations and kinds of the errors, but never the value: it may be confidential.
        items = error.errors(include_url=False, include_context=False, include_input=False)
        details = [f"/{'/'.join(map(str, item['loc']))} {item['type']}" for item in items[:_DETAILS_MAX]]
        raise UndecodableError(DeadLetterReason.INVALID_DATA, "; ".join(details)) from None


def read_uuid(value: bytes | None) -> UUID | None:
    """The id in a header; None if it is not a UUID."""
    try:
        return UUID((value or b"").decode())
    except ValueError:
        return None
