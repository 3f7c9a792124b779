"""A receipt: what a 202 promises, in a form that can be asked about for ever.

It names the command, who sent it, and where on the log it stands. The ingress signs it (`infra.keys`), so
that one who has it may trust it and nobody can make one up.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.commands import COMMANDS, Actor, ActorKind, Command

_FORMAT = struct.Struct(">BB16s16sHQQ16s16s16s16s")
_ACTOR_KINDS = tuple(ActorKind)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NOTHING = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an accepted command stands. `submitted_at` is the broker's time; ids it is not about are None."""

    command_type: str
    command_id: UUID
    fingerprint: str
    partition: int
    offset: int
    submitted_at: datetime
    actor: Actor
    doctor_id: UUID
    appointment_id: UUID | None
    time_off_id: UUID | None

    @classmethod
    def of(cls, command: Command, partition: int, offset: int, submitted_at: datetime) -> "Receipt":
        """The receipt of a command that the broker acknowledged."""
        return cls(
            type(command).__name__,
            command.command_id,
            command.fingerprint,
            partition,
            offset,
            submitted_at,
            command.actor,
            command.doctor_id,
            getattr(command, "appointment_id", None),
            getattr(command, "time_off_id", None),
        )

    def to_bytes(self) -> bytes:
        """116 bytes, big-endian."""
        return _FORMAT.pack(
            [model.__name__ for model in COMMANDS].index(self.command_type),
            _ACTOR_KINDS.index(self.actor.kind),
            self.command_id.bytes,
            bytes.fromhex(self.fingerprint),
            self.partition,
            self.offset,
            (self.submitted_at - _EPOCH) // _MILLISECOND,
            self.actor.id.bytes,
            self.doctor_id.bytes,
            (self.appointment_id or _NOTHING).bytes,
            (self.time_off_id or _NOTHING).bytes,
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "Receipt":
        """The inverse of `to_bytes`, for bytes whose signature was checked."""
        type_, kind, command, mark, partition, offset, at_ms, actor, doctor, appointment, time_off = (
            _FORMAT.unpack(content)
        )
        return cls(
            COMMANDS[type_].__name__,
            UUID(bytes=command),
            mark.hex(),
            partition,
            offset,
            _EPOCH + at_ms * _MILLISECOND,
            Actor(kind=_ACTOR_KINDS[kind], id=UUID(bytes=actor)),
            UUID(bytes=doctor),
            _id(appointment),
            _id(time_off),
        )


def _id(content: bytes) -> UUID | None:
    value = UUID(bytes=content)
    return None if value == _NOTHING else value
