"""What the log of security events sends: nothing that its readers would refuse."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.dead_letters import UndecodableError
from ingress.security import SecurityLog
from tests.unit.contracts.security_examples import searched


class Producer:
    """Takes what is sent, and lets nobody wait for it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, topic: str, value: bytes, **more: Any) -> None:
        self.sent.append(value)
        raise TimeoutError


@pytest.mark.parametrize(
    "wrong",
    [
        {"occurred_at": datetime(1899, 12, 31, 23, tzinfo=UTC)},
        {"occurred_at": datetime(2200, 1, 1, tzinfo=UTC)},
        {"by": "Ada Lovelace"},
        {"request_id": "0" * 31},
    ],
)
async def test_an_event_that_cannot_be_read_is_never_sent(wrong: dict[str, Any]) -> None:
    producer: Any = Producer()

    with pytest.raises(UndecodableError):
        await SecurityLog(producer, "topic", 1_000).record(searched.model_copy(update=wrong))

    assert producer.sent == []
