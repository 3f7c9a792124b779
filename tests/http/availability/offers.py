"""Reading free slots, and the clock that they depend on."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra import clock
from tests.clinic import Clinic, instant
from tests.http.asking import get

BERLIN = ZoneInfo("Europe/Berlin")


DAY = timedelta(days=1)


def in_days(number: int) -> date:
    return clock.now().date() + number * DAY


async def available(clinic: Clinic, doctor_id: str, **query: Any) -> Any:
    return await get(clinic.http, f"/v1/doctors/{doctor_id}/availability", **query)


def starts(answer: Any) -> list[datetime]:
    return [instant(slot["starts_at"]) for day in answer["days"] for slot in day["slots"]]


def stop_the_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: now.astimezone(UTC))
