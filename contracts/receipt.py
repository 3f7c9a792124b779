"""A receipt: the token of a 202 response, with which the client can ask for the decision at any time.

It contains the command, its sender and its position on the log. The ingress signs it (`infra.keys`) against
forgery. The first byte is the version. A newer release may append parts to the same version: readers skip the
parts that they do not know.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from uuid import UUID

from contracts.commands import COMMAND_TYPES, Actor, ActorKind, Command, RecordedActor
from contracts.fields import or_newer

VERSION = 0x81
# Command id, fingerprint, partition, offset, milliseconds since 1970, actor id, doctor id; big-endian.
_HEAD = struct.Struct(">B16s16sHQQ16s16s")
# The first receipts had no version. They begin with the number of the command's type, always below 0x80.
_UNVERSIONED = struct.Struct(">BB16s16sHQQ16s16s16s16s")
_UNVERSIONED_ACTORS = (ActorKind.PATIENT, ActorKind.STAFF, ActorKind.SYSTEM)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class _Part(IntEnum):
    """The parts after the head. Each is encoded as this number, its length (one byte each) and its
    content."""

    COMMAND_TYPE = 1
    ACTOR_KIND = 2
    APPOINTMENT_ID = 3
    TIME_OFF_ID = 4
    EARLIER_FINGERPRINT = 5


@dataclass(frozen=True, slots=True)
class Receipt:
    """An accepted command and its position. `submitted_at` is the broker's time.

    `earlier_fingerprint` is the same request's fingerprint as earlier releases made it.
    """

    command_type: str
    command_id: UUID
    fingerprint: str
    partition: int
    offset: int
    submitted_at: datetime
    actor: RecordedActor
    doctor_id: UUID
    appointment_id: UUID | None = None
    time_off_id: UUID | None = None
    earlier_fingerprint: str | None = None

    @classmethod
    def of(
        cls,
        command: Command,
        partition: int,
        offset: int,
        submitted_at: datetime,
        earlier_fingerprint: str | None = None,
    ) -> "Receipt":
        """The receipt of a command that the broker acknowledged."""
        return cls(
            command_type=type(command).__name__,
            command_id=command.command_id,
            fingerprint=command.fingerprint,
            partition=partition,
            offset=offset,
            submitted_at=submitted_at,
            actor=command.actor,
            doctor_id=command.doctor_id,
            appointment_id=getattr(command, "appointment_id", None),
            time_off_id=getattr(command, "time_off_id", None),
            earlier_fingerprint=earlier_fingerprint,
        )

    def is_same_request(self, fingerprint: str | None) -> bool:
        """True if a decision with this fingerprint is for this request; None is that of an unreadable
        command."""
        return fingerprint in (None, self.fingerprint, self.earlier_fingerprint)

    def to_bytes(self) -> bytes:
        """The receipt without its signature, about 150 bytes."""
        head = _HEAD.pack(
            VERSION,
            self.command_id.bytes,
            bytes.fromhex(self.fingerprint),
            self.partition,
            self.offset,
            (self.submitted_at - _EPOCH) // _MILLISECOND,
            self.actor.id.bytes,
            self.doctor_id.bytes,
        )
        parts = {
            _Part.COMMAND_TYPE: self.command_type.encode(),
            _Part.ACTOR_KIND: self.actor.kind.encode(),
            _Part.APPOINTMENT_ID: self.appointment_id and self.appointment_id.bytes,
            _Part.TIME_OFF_ID: self.time_off_id and self.time_off_id.bytes,
            _Part.EARLIER_FINGERPRINT: self.earlier_fingerprint and bytes.fromhex(self.earlier_fingerprint),
        }
        return head + b"".join(
            bytes((part, len(content))) + content for part, content in parts.items() if content
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "Receipt | None":
        """The receipt from bytes whose signature was checked; None for an unknown version."""
        if content[0] < 0x80:
            return cls._from_unversioned(content)
        if content[0] != VERSION:
            return None
        _, command, fingerprint, partition, offset, at_ms, actor, doctor = _HEAD.unpack_from(content)
        parts = dict(_parts(content[_HEAD.size :]))
        earlier = parts.get(_Part.EARLIER_FINGERPRINT)
        return cls(
            command_type=parts[_Part.COMMAND_TYPE].decode(),
            command_id=UUID(bytes=command),
            fingerprint=fingerprint.hex(),
            partition=partition,
            offset=offset,
            submitted_at=_EPOCH + at_ms * _MILLISECOND,
            actor=_actor(or_newer(ActorKind, parts[_Part.ACTOR_KIND].decode()), actor),
            doctor_id=UUID(bytes=doctor),
            appointment_id=_id(parts.get(_Part.APPOINTMENT_ID)),
            time_off_id=_id(parts.get(_Part.TIME_OFF_ID)),
            earlier_fingerprint=earlier.hex() if earlier else None,
        )

    @classmethod
    def _from_unversioned(cls, content: bytes) -> "Receipt":
        type_, kind, command, fingerprint, partition, offset, at_ms, actor, doctor, appointment, time_off = (
            _UNVERSIONED.unpack(content)
        )
        return cls(
            command_type=COMMAND_TYPES[type_].__name__,
            command_id=UUID(bytes=command),
            fingerprint=fingerprint.hex(),
            partition=partition,
            offset=offset,
            submitted_at=_EPOCH + at_ms * _MILLISECOND,
            actor=_actor(_UNVERSIONED_ACTORS[kind], actor),
            doctor_id=UUID(bytes=doctor),
            appointment_id=_id(appointment),
            time_off_id=_id(time_off),
        )


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    while content:
        part, end = content[0], 2 + content[1]
        yield part, content[2:end]
        content = content[end:]


def _actor(kind: ActorKind | str, id_: bytes) -> RecordedActor:
    id_of_actor = UUID(bytes=id_)
    if isinstance(kind, ActorKind):
        return Actor(kind=kind, id=id_of_actor)
    return RecordedActor(kind=kind, id=id_of_actor)


def _id(content: bytes | None) -> UUID | None:
    # Receipts without a version have zeros for a missing id.
    return UUID(bytes=content) if content and any(content) else None
