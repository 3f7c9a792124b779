"""Records that can never be decided: they are copied unchanged to `booking.dlq.v1`, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class DeadLetterReason(StrEnum):
    """Why a record can never be decided."""

    NO_ENVELOPE = "no_envelope"
    BAD_HEADER = "bad_header"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_DATA = "invalid_data"
    WRONG_KEY = "wrong_key"
    WRONG_PARTITION = "wrong_partition"
    HANDLER_ERROR = "handler_error"
    SKIPPED = "skipped"


class UndecodableError(Exception):
    """A record that is not a valid message. `command_id` is set if at least that could be read."""

    def __init__(self, reason: DeadLetterReason, detail: str, command_id: UUID | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.command_id = command_id


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a dead letter. `topic_id` is Kafka's (KIP-516): a recreated topic has another."""

    reason: str
    detail: str
    topic: str
    topic_id: UUID
    partition: int
    offset: int


def dead_letter_headers(
    error: UndecodableError, topic: str, topic_id: UUID, partition: int, offset: int
) -> list[tuple[str, bytes]]:
    """The headers that are added to the original ones: the reason and the source."""
    return [
        ("dlq_reason", str(error.reason).encode()),
        ("dlq_detail", error.detail.encode()),
        ("dlq_topic", topic.encode()),
        ("dlq_topic_id", str(topic_id).encode()),
        ("dlq_partition", str(partition).encode()),
        ("dlq_offset", str(offset).encode()),
    ]


def origin_of(headers: Sequence[tuple[str, bytes | None]]) -> Origin | None:
    """The inverse of `dead_letter_headers`; None for a record that is no dead letter of ours."""
    # The last header of each name: the original record may have headers of these names, too.
    added = {name: (value or b"").decode("utf-8", "replace") for name, value in headers}
    try:
        return Origin(
            reason=added["dlq_reason"],
            detail=added["dlq_detail"],
            topic=added["dlq_topic"],
            topic_id=UUID(added["dlq_topic_id"]),
            partition=int(added["dlq_partition"]),
            offset=int(added["dlq_offset"]),
        )
    except (KeyError, ValueError):
        return None
