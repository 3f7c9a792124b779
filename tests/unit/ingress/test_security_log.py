"""The security log sends nothing that its readers would reject."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.dead_letters import UndecodableError
from ingress.audit.security_log import SecurityLog
from tests.unit.contracts.security_examples import searched


class Producer:
    """Accepts every record at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, topic: str, value: bytes, **options: Any) -> None:
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
async def test_an_unreadable_event_is_never_sent(wrong: dict[str, Any]) -> None:
    producer: Any = Producer()
    failures: list[Exception] = []

    with pytest.raises(UndecodableError):
        await SecurityLog(producer, "topic", 1_000, failures.append).record(searched.model_copy(update=wrong))

    assert producer.sent == []
