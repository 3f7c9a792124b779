"""The checker's input besides the history, and its findings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True)
class Record:
    """A record on a topic. `timestamp_ms` is the broker's, milliseconds since 1970."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Poison:
    """The position of a record on the commands' topic that is not a valid command, and its dead letter's
    reason.
    """

    partition: int
    offset: int
    reason: str


@dataclass(frozen=True)
class StoredEvent:
    """An event in the database, which the topic has to have as well."""

    partition: int
    sequence: int
    id: str
    type: str
    key: str
    subject: str
    decided_at: datetime
    traceparent: str | None
    data: str


@dataclass(frozen=True)
class Entry:
    """An entry of the audit trail: its number in its chain, and the event it is about."""

    partition: int
    number: int
    event_id: str
    sequence: int


@dataclass(frozen=True)
class Mail:
    """A mail that arrived, at Unix time `at`. `method`, `appointment_id` and `version` are from its calendar
    part; None in a mail without one.
    """

    id: str
    to: str
    digest: str
    at: float
    method: str | None
    appointment_id: str | None
    version: int | None


@dataclass
class Followers:
    """The output of the auditor and the notifier, and of the clinic's own checks.

    `sends` is how often the sending of each mail began, by Message-ID; `restored_at` is when the database
    was restored to an older state (Unix times), which forgets what was sent since. `unknown` are
    periods in which the notifier could not learn whether a mail had arrived. `commands` are those of the
    clinic's own checks that failed, with their output. `ended_at` is when the mails were counted.
    """

    stored: list[StoredEvent] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    sends: dict[str, int] = field(default_factory=dict)
    restored_at: list[float] = field(default_factory=list)
    ended_at: float = 0.0
    unknown: list[tuple[float, float]] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """A guarantee that was violated: which one, and where to look."""

    invariant: str
    text: str


class Position(NamedTuple):
    """A record's position on the commands' topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"command {self.partition}/{self.offset}"
