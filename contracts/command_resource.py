"""The command resource: what a client reads at `/v1/commands/{receipt}` while it waits, and ever after."""

from enum import StrEnum
from uuid import UUID

from contracts.fields import Instant, Model
from contracts.refusals import Reason


class State(StrEnum):
    """Pending until decided; then one of the others, for ever."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    FAILED = "failed"


class RefusalBody(Model):
    """Why not: the code for machines, the sentence for people."""

    reason: Reason
    detail: str


class Links(Model):
    """Paths of the command itself and of the appointment it is about."""

    self: str
    appointment: str | None


class CommandResource(Model):
    """`queue_ahead` counts the records before it in its partition, while it is pending."""

    command_id: UUID
    type: str
    state: State
    submitted_at: Instant
    decided_at: Instant | None
    queue_ahead: int | None
    appointment_id: UUID | None
    doctor_id: UUID | None
    time_off_id: UUID | None
    refusal: RefusalBody | None
    links: Links
