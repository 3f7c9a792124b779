"""What goes into the checker besides the history, and what comes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Record:
    """A record as it stands on a topic. `timestamp_ms` is the broker's, milliseconds since 1970."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Poison:
    """Where on the commands' topic something stands that is no command; the reason to set it aside with."""

    partition: int
    offset: int
    reason: str


@dataclass(frozen=True)
class Finding:
    """A promise that was not kept: which, and where to look."""

    invariant: str
    text: str


class Place(NamedTuple):
    """A record's place on the commands' topic."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"command {self.partition}/{self.offset}"
