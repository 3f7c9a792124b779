"""A decision: the one terminal answer to a command, as it is stored and as it travels in a wake-up."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.command_resource import State
from contracts.refusals import Reason, Refusal


class Decision(NamedTuple):
    """What was decided. `fingerprint` is None only for a command that could not be read."""

    command_id: UUID
    fingerprint: str | None
    state: State
    refusal: Refusal | None
    partition: int
    offset: int
    decided_at: datetime


def pack_wake_up(decisions: Iterable[Decision]) -> bytes:
    """The decisions of one transaction, as one message."""
    return json.dumps(
        [
            (
                decision.command_id.hex,
                decision.fingerprint,
                decision.state,
                decision.refusal and (decision.refusal.reason, decision.refusal.count),
                decision.partition,
                decision.offset,
                decision.decided_at.isoformat(),
            )
            for decision in decisions
        ]
    ).encode()


def unpack_wake_up(message: bytes) -> list[Decision]:
    """The inverse of `pack_wake_up`."""
    return [
        Decision(
            UUID(command_id),
            fingerprint,
            State(state),
            Refusal(Reason(refusal[0]), refusal[1]) if refusal else None,
            partition,
            offset,
            datetime.fromisoformat(decided_at),
        )
        for command_id, fingerprint, state, refusal, partition, offset, decided_at in json.loads(message)
    ]
