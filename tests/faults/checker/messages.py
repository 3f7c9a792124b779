"""Commands and events as the contract specifies them (CloudEvents, binary mode, JSON), parsed by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.faults.checker.records import Position, Record

PREFIX, VERSION = "clinic.booking.", ".v1"
COMMAND_TYPES = {
    "RegisterDoctor", "UpdateDoctor", "SetWeeklyHours", "BlockTime", "UnblockTime",
    "BookAppointment", "RescheduleAppointment", "CancelAppointment", "RecordOutcome",
}  # fmt: skip
ANSWERS = {"CommandConfirmed": "nothing changed", "CommandFailed": "failed"}
CONFIRMED = "confirmed"


class UnreadableError(Exception):
    """A record that does not belong on its topic."""


@dataclass(frozen=True, eq=False)
class Command:
    """A command's record. `actor` is kind and id; `at` is the broker's time."""

    position: Position
    at: datetime
    id: str
    type: str
    fingerprint: str
    actor: tuple[str, str]
    doctor: str
    data: dict[str, Any]

    @property
    def by_patient(self) -> bool:
        """Whether a patient sent it: notice, horizon and count apply."""
        return self.actor[0] == "patient"

    def instant(self, name: str) -> datetime:
        """A field that is an instant."""
        return instant(self.data[name])


@dataclass(frozen=True, eq=False)
class Event:
    """An event of the topic, without repeats. `source` is the position of its command."""

    partition: int
    sequence: int
    id: str
    type: str
    command_id: str
    source: Position
    key: bytes | None
    data: dict[str, Any]

    def __str__(self) -> str:
        return f"event {self.partition}/{self.sequence} ({self.type})"


@dataclass(eq=False)
class Decision:
    """The events of one command. `index` counts the decisions of a partition.

    `command` is None where it could not be read. `earliest` and `latest` are between which calls it was made,
    by the clients' clock; `clock` is what comes before it, per partition: both are set by `Order`.
    """

    position: Position
    index: int
    command: Command | None
    events: list[Event]
    earliest: float = float("-inf")
    latest: float = float("inf")
    clock: list[int] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """`confirmed`, `nothing changed`, `failed`, or the reason of the refusal."""
        first = self.events[0]
        if first.type == "CommandRefused":
            return str(first.data.get("reason"))
        return ANSWERS.get(first.type, CONFIRMED)

    @property
    def command_id(self) -> str:
        """The id of the command that it answers."""
        return self.events[0].command_id

    def __str__(self) -> str:
        type_ = self.command.type if self.command else "unreadable"
        return f"{self.position} ({type_} {self.command_id})"


def instant(text: str) -> datetime:
    """An RFC 3339 text as an instant, UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def broker_time(record: Record) -> datetime:
    """The record's timestamp."""
    return datetime.fromtimestamp(record.timestamp_ms // 1000, UTC).replace(
        microsecond=record.timestamp_ms % 1000 * 1000
    )


def read_command(record: Record) -> Command:
    """Parse a record with a command.

    Raises:
        UnreadableError: it is not one.
    """
    attributes, type_, data = _envelope(record)
    try:
        command = Command(
            Position(record.partition, record.offset),
            broker_time(record),
            str(UUID(data["command_id"])),
            type_,
            data["fingerprint"],
            (data["actor"]["kind"], data["actor"]["id"]),
            str(UUID(data["doctor_id"])),
            data,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableError(f"a command's field: {error!r}") from None
    if type_ not in COMMAND_TYPES:
        raise UnreadableError(f"unknown type {type_}")
    if attributes.get("ce_id") != command.id or record.key != command.doctor.encode():
        raise UnreadableError("ce_id is not the command's, or the key not its doctor")
    return command


def read_event(record: Record) -> Event:
    """Parse a record with an event.

    Raises:
        UnreadableError: it is not one.
    """
    attributes, type_, data = _envelope(record)
    try:
        event = Event(
            record.partition,
            int(attributes["ce_sequence"]),
            attributes["ce_id"],
            type_,
            data["command_id"],
            Position(data["source"]["partition"], data["source"]["offset"]),
            record.key,
            data,
        )
        same_time = instant(attributes["ce_time"]) == instant(data["decided_at"])
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableError(f"an event's field: {error!r}") from None
    if not same_time:
        raise UnreadableError("ce_time is not decided_at")
    return event


def command_id_in(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """The command id in the headers of any record; None if there is none that can be read."""
    try:
        return str(UUID((dict(headers).get("ce_id") or b"").decode()))
    except ValueError:
        return None


def _envelope(record: Record) -> tuple[dict[str, str], str, dict[str, Any]]:
    try:
        attributes = {name: (value or b"").decode() for name, value in record.headers}
        data = json.loads(record.value or b"")
    except ValueError as error:
        raise UnreadableError(repr(error)) from None
    if attributes.get("ce_specversion") != "1.0" or attributes.get("content-type") != "application/json":
        raise UnreadableError("not CloudEvents 1.0 in binary mode with JSON")
    type_ = attributes.get("ce_type", "")
    if not (type_.startswith(PREFIX) and type_.endswith(VERSION)) or not isinstance(data, dict):
        raise UnreadableError(f"ce_type {type_[:80]!r}, or the value is no object")
    return attributes, type_.removeprefix(PREFIX).removesuffix(VERSION), data
