"""Free slots that have to be computed are paid for by whoever asks first, and by nobody else."""

import asyncio
from typing import Any

import httpx
import pytest

from infra import clock
from ingress.request_limits.turns import STEP_UNITS
from tests.clinic import Clinic
from tests.http.asking import booked, problem
from tests.http.availability.offers import in_days, stop_the_clock
from tests.http.request_limits.asking import left, limited, network

DAYS = 62
# A day of the usual hours is a step.
WHOLE = 1 + DAYS * STEP_UNITS


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute does not end within a test."""
    stop_the_clock(monkeypatch, clock.now())


async def ask(http: httpx.AsyncClient, doctor_id: str, who: dict[str, str], **query: Any) -> httpx.Response:
    period = {"from": str(in_days(2)), "to": str(in_days(1 + DAYS))}
    path = f"/v1/doctors/{doctor_id}/availability"
    return await http.get(path, headers=who, params=period | query)


async def spent_by(http: httpx.AsyncClient, doctor_id: str, **query: Any) -> int:
    """The units that it costs somebody who has not asked for anything else."""
    response = await ask(http, doctor_id, network(), **query)
    assert response.status_code == 200, response.text
    found = left(response)
    return found.quota - found.left


async def test_a_day_costs_when_it_is_computed_and_is_cached_then(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    async with limited(shared) as http:
        assert await spent_by(http, doctor_id) == WHOLE
        assert await spent_by(http, doctor_id) == 1
        overlapping = {"from": str(in_days(5)), "to": str(in_days(2 + DAYS))}
        assert await spent_by(http, doctor_id, **overlapping) == 1 + STEP_UNITS

        await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[20])

        assert 1 < await spent_by(http, doctor_id) <= 1 + 6 * STEP_UNITS, "the days near the booking"


async def test_days_that_nobody_can_book_cost_nothing(shared: Clinic) -> None:
    doctor_id = await shared.doctor(policy={"horizon_days": 30})
    async with limited(shared) as http:
        for ahead in (-10_000, -100, 100, 50_000):
            period = {"from": str(in_days(ahead)), "to": str(in_days(ahead + DAYS - 1))}
            assert await spent_by(http, doctor_id, **period) == 1


async def test_whoever_has_spent_everything_is_refused_and_the_work_is_not_lost(shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    async with limited(shared, requests_per_network_minute=WHOLE // 2) as http:
        problem(await ask(http, doctor_id, network()), 429, "rate_limited")
        assert (await ask(http, doctor_id, network())).status_code == 200
        assert await spent_by(http, doctor_id) == 1


async def test_a_burst_of_requests_is_one_budget(shared: Clinic) -> None:
    doctors = [await shared.doctor() for _ in range(3)]
    async with limited(shared, requests_per_network_minute=WHOLE) as http:
        who = network()
        answers = await asyncio.gather(*(ask(http, doctor_id, who) for doctor_id in doctors))
        assert [response.status_code for response in answers].count(200) <= 1
        units = sum([await spent_by(http, doctor_id) - 1 for doctor_id in doctors])
        assert units >= 2 * (WHOLE - 1) - 2 * len(doctors) * STEP_UNITS, "what was left undone"


async def test_the_first_slots_of_many_doctors_cost_for_each_of_them(shared: Clinic) -> None:
    specialty = f"specialty {clock.new_id()}"
    for _ in range(3):
        await shared.doctor(specialty=specialty)
    async with limited(shared) as http:
        units = []
        for _ in range(2):
            response = await http.get("/v1/availability", params={"specialty": specialty}, headers=network())
            assert len(response.json()["items"]) == 3
            units.append(left(response).quota - left(response).left)
        assert units[1] == 1 + 3
        assert units[0] > units[1] + 3 * 13 * STEP_UNITS
