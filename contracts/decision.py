"""The decision: the final answer to a command, as stored; and the wake-up message that announces it."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from pydantic import ValidationError

from contracts.fields import Model
from contracts.refusals import Refusal


class State(StrEnum):
    """The state of a command: pending until it is decided, then final."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    FAILED = "failed"


class Decision(NamedTuple):
    """The answer to a command. `fingerprint` is None only for a command that could not be read.

    `state` is a plain string if only a newer release knows it.
    """

    command_id: UUID
    fingerprint: str | None
    state: State | str
    refusal: Refusal | None
    partition: int
    offset: int
    decided_at: datetime


class _Decided(Model):
    command_id: UUID | None = None


class _WakeUp(Model):
    decisions: tuple[_Decided, ...]


def pack_wake_up(command_ids: Iterable[UUID]) -> bytes:
    """The message that announces these decided commands. The decisions are read from Postgres."""
    decisions = tuple(_Decided(command_id=command_id) for command_id in command_ids)
    return _WakeUp(decisions=decisions).model_dump_json().encode()


def unpack_wake_up(message: bytes) -> list[UUID]:
    """The announced commands; empty if the message is not a wake-up."""
    try:
        decisions = _WakeUp.model_validate_json(message).decisions
    except ValidationError:
        return []
    return [decision.command_id for decision in decisions if decision.command_id]
