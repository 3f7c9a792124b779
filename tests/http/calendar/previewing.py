"""Asks for previews, and sends the commands that they are about."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from infra import clock
from tests.clinic import Clinic

BERLIN, DAY = ZoneInfo("Europe/Berlin"), timedelta(days=1)


def in_days(number: int) -> date:
    return clock.now().astimezone(BERLIN).date() + number * DAY


def at(day: date, hour: int, minute: int = 0) -> str:
    return datetime.combine(day, time(hour, minute), BERLIN).isoformat()


def hours(starts: str, ends: str, *weekdays: int) -> list[dict[str, Any]]:
    return [{"weekday": day, "starts": starts, "ends": ends} for day in weekdays or range(1, 8)]


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


async def ask(
    clinic: Clinic, doctor_id: str, change: str, body: Any, who: dict[str, str] | None = None
) -> httpx.Response:
    path = f"/v1/doctors/{doctor_id}/{change}/preview"
    return await clinic.http.post(path, headers=clinic.staff if who is None else who, json=body)


async def previewed(clinic: Clinic, doctor_id: str, change: str, body: Any) -> Any:
    response = await ask(clinic, doctor_id, change, body)
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["items", "next_cursor", "total", "refusal"]
    return response.json()


async def decided(clinic: Clinic, method: str, doctor_id: str, change: str, body: Any) -> Any:
    """The command itself: its resource."""
    return (await clinic.send(method, f"/v1/doctors/{doctor_id}/{change}", clinic.staff, body)).json()
