"""The command resource: the answer of `/v1/commands/{receipt}`, before the decision and ever after."""

from uuid import UUID

from contracts.decision import State
from contracts.fields import Instant, Model, OrNewer
from contracts.refusals import Reason, Refusal


class RefusalBody(Model):
    """The reason of a refusal: a code for programs, a sentence for people."""

    reason: OrNewer[Reason]
    detail: str

    @classmethod
    def of(cls, refusal: Refusal | None) -> "RefusalBody | None":
        """None if there is none."""
        return None if refusal is None else cls(reason=refusal.reason, detail=refusal.detail)


class Links(Model):
    """Paths of the command itself and of the appointment it is about."""

    self: str
    appointment: str | None


class CommandResource(Model):
    """The state of a command. `queue_ahead`: the records before it in its partition, while it is pending."""

    command_id: UUID
    type: str
    state: OrNewer[State]
    submitted_at: Instant
    decided_at: Instant | None
    queue_ahead: int | None
    appointment_id: UUID | None
    doctor_id: UUID | None
    time_off_id: UUID | None
    refusal: RefusalBody | None
    links: Links
    receipt: str
