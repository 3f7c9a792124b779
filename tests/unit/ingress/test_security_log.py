"""The security log sends nothing that its readers would reject, and leaves out nobody."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from fastapi import Request

from contracts.commands import Actor, ActorKind
from contracts.dead_letters import UndecodableError
from contracts.security import PATIENTS_MAX
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


async def test_a_read_of_very_many_patients_names_all_of_them() -> None:
    producer: Any = Producer()
    failures: list[Exception] = []
    security = SecurityLog(producer, "topic", 1_000, failures.append)
    state = {"request_id": "1" * 32, "own_request_id": "2" * 32}
    request = Request({"type": "http", "headers": [], "state": state})
    patients = [uuid4() for _ in range(2 * PATIENTS_MAX + 1)]

    staff = Actor(kind=ActorKind.STAFF, id=uuid4())
    security.offer_book_read(request, staff, "calendar", patient_ids=[*patients, patients[0]])
    await security.drain()

    sent = [json.loads(value) for value in producer.sent]
    assert [len(event["patient_ids"]) for event in sent] == [PATIENTS_MAX, PATIENTS_MAX, 1]
    assert [id_ for event in sent for id_ in event["patient_ids"]] == list(map(str, patients))
    assert [event["shown"] for event in sent] == [PATIENTS_MAX + 1, PATIENTS_MAX, 1]
