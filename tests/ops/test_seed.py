"""The demo data: its plan, and the clinic after `clinic seed demo`, however often it runs."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from infra import clock
from infra.settings import Settings
from ops.seed.demo import APPOINTMENTS_PER_DOCTOR, DOCTORS, PATIENTS, SLOTS_PER_DOCTOR, seed_demo, visits
from tests.clinic import Clinic

APPOINTMENTS = 240
SLOTS = 800
PLANNED = list(visits())


def test_the_plan_has_the_promised_numbers() -> None:
    assert (len(DOCTORS), len(set(PATIENTS)), len(DOCTORS) * SLOTS_PER_DOCTOR) == (5, 20, SLOTS)
    assert len({visit.number for visit in PLANNED}) == APPOINTMENTS
    assert set(Counter(visit.doctor for visit in PLANNED).values()) == {APPOINTMENTS_PER_DOCTOR}
    assert set(Counter(visit.patient for visit in PLANNED).values()) == {APPOINTMENTS // 20}


def test_nobody_is_planned_twice_at_the_same_time() -> None:
    assert len({(visit.doctor, visit.day, visit.start) for visit in PLANNED}) == APPOINTMENTS
    assert len({(visit.patient, visit.day, visit.start) for visit in PLANNED}) == APPOINTMENTS


def test_the_plan_is_spread_over_the_days() -> None:
    per_day = Counter((visit.doctor, visit.day) for visit in PLANNED)
    assert len(per_day) == 5 * 10
    assert 3 <= min(per_day.values()) <= max(per_day.values()) <= 7
    assert max(Counter((visit.doctor, visit.patient, visit.day) for visit in PLANNED).values()) == 1


async def decisions(settings: Settings) -> int:
    connection = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        return int(await connection.fetchval("SELECT count(*) FROM booking.decisions"))
    finally:
        await connection.close()


async def get(clinic: Clinic, path: str, **query: str) -> Any:
    response = await clinic.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def demo_doctors(clinic: Clinic) -> list[UUID]:
    names = {name for name, _ in DOCTORS}
    found, cursor = [], ""
    while cursor is not None:
        page = await get(clinic, "/v1/doctors", **({"cursor": cursor} if cursor else {}))
        found += [UUID(doctor["id"]) for doctor in page["items"] if doctor["name"] in names]
        cursor = page["next_cursor"]
    return found


async def first_monday(clinic: Clinic, doctor_id: UUID) -> date:
    schedule = await get(clinic, f"/v1/doctors/{doctor_id}/schedule")
    [monday] = {hours["valid_from"] for hours in schedule["hours"]}
    return date.fromisoformat(monday)


async def free_slots(clinic: Clinic, doctor_id: UUID, monday: date) -> int:
    availability = await get(
        clinic,
        f"/v1/doctors/{doctor_id}/availability",
        **{"from": str(monday), "to": str(monday + timedelta(days=13)), "visit_type": "checkup"},
    )
    return sum(len(day["slots"]) for day in availability["days"])


async def test_an_interrupted_run_is_completed_and_a_later_one_changes_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await decisions(clinic.settings)
    interrupted = asyncio.create_task(seed_demo(clinic.settings))
    async with asyncio.timeout(60):
        while await decisions(clinic.settings) < before + 50:  # noqa: ASYNC110 - the table sets no event
            await asyncio.sleep(0.02)
    interrupted.cancel()
    await asyncio.gather(interrupted, return_exceptions=True)

    said: list[str] = []
    await seed_demo(clinic.settings, said.append)

    [line] = said
    assert line.startswith("5 doctors, 20 patients, 800 slots, 240 appointments (")
    assert await decisions(clinic.settings) == before + 2 * len(DOCTORS) + APPOINTMENTS
    doctor_ids = await demo_doctors(clinic)
    assert len(doctor_ids) == len(DOCTORS)
    [monday] = {await first_monday(clinic, doctor_id) for doctor_id in doctor_ids}
    assert monday.isoweekday() == 1
    assert monday > clock.now().date()
    free = [await free_slots(clinic, doctor_id, monday) for doctor_id in doctor_ids]
    assert free == [SLOTS_PER_DOCTOR - APPOINTMENTS_PER_DOCTOR] * len(DOCTORS)

    in_eight_days = clock.now() + timedelta(days=8)
    monkeypatch.setattr(clock, "now", lambda: in_eight_days)
    await seed_demo(clinic.settings, said.append)

    assert said[1] == "5 doctors, 20 patients, 800 slots, 240 appointments (0 new)"
    assert await decisions(clinic.settings) == before + 2 * len(DOCTORS) + APPOINTMENTS
    assert {await first_monday(clinic, doctor_id) for doctor_id in doctor_ids} == {monday}
