"""What cannot be decided at all, and why: it is set aside in `booking.dlq.v1`, as it came."""

from enum import StrEnum
from uuid import UUID


class DeadLetterReason(StrEnum):
    """Why a record can never be decided."""

    NO_ENVELOPE = "no_envelope"
    BAD_HEADER = "bad_header"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_DATA = "invalid_data"
    WRONG_KEY = "wrong_key"
    HANDLER_ERROR = "handler_error"


class UndecodableError(Exception):
    """A record that is not a message of this contract. `command_id` where it could be read all the same."""

    def __init__(self, reason: DeadLetterReason, detail: str, command_id: UUID | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.command_id = command_id


def dead_letter_headers(
    error: UndecodableError, topic: str, partition: int, offset: int
) -> list[tuple[str, bytes]]:
    """What is added to the original headers: the reason, and where the record came from."""
    return [
        ("dlq_reason", str(error.reason).encode()),
        ("dlq_detail", error.detail.encode()),
        ("dlq_topic", topic.encode()),
        ("dlq_partition", str(partition).encode()),
        ("dlq_offset", str(offset).encode()),
    ]
