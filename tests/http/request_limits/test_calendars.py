"""Calendars and previews are computed in steps, which whoever asks pays for."""

import httpx
import pytest

from contracts.commands import Actor, ActorKind
from infra import clock
from ingress.request_limits.steps import ITEMS_PER_STEP
from ingress.request_limits.turns import STEP_UNITS
from tests.clinic import Clinic
from tests.http.asking import booked, problem
from tests.http.availability.offers import in_days, stop_the_clock
from tests.http.request_limits.asking import left, limited

DAYS = 31


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute does not end within a test."""
    stop_the_clock(monkeypatch, clock.now())


def somebody(clinic: Clinic) -> dict[str, str]:
    return clinic.headers(Actor(kind=ActorKind.STAFF, id=clock.new_id()))


def cost(items: int) -> int:
    return 1 + items // ITEMS_PER_STEP * STEP_UNITS


def spent(response: httpx.Response) -> int:
    assert response.status_code == 200, response.text
    return left(response).quota - left(response).left


async def test_calendars_cost_by_their_appointments_and_days(shared: Clinic) -> None:
    doctors, patient = [await shared.doctor() for _ in range(4)], await shared.patient()
    await booked(shared, patient.headers, doctors[0], (await shared.slots(doctors[0]))[0])
    period = {"from": str(in_days(1)), "to": str(in_days(DAYS))}
    alone = f"/v1/doctors/{doctors[0]}/calendar"

    for path, query, items in (
        (alone, {}, 7),
        (alone, period, DAYS + 1),
        ("/v1/calendar", {"doctor_id": doctors}, 4),
        ("/v1/calendar", {"doctor_id": doctors, **period}, 4 * DAYS + 1),
    ):
        answer = await shared.http.get(path, headers=somebody(shared), params=query)
        assert spent(answer) == cost(items), (path, query)

    async with limited(shared, requests_per_staff_minute=cost(3 * DAYS)) as http:
        query = {"doctor_id": doctors, **period}
        answer = await http.get("/v1/calendar", headers=somebody(shared), params=query)
        problem(answer, 429, "rate_limited")


async def test_previews_cost_by_the_bookings_that_they_look_at(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(policy={"max_active_per_patient": 1_000}), await shared.patient()
    count = 2 * ITEMS_PER_STEP + 1
    for starts_at in (await shared.slots(doctor_id))[: 2 * count : 2]:
        await booked(shared, patient.headers, doctor_id, starts_at)

    away = {"starts_at": f"{in_days(0)}T00:00:00Z", "ends_at": f"{in_days(9)}T00:00:00Z"}
    # Time off looks at all bookings, and then at those that it shows.
    for change, body, units in (
        ("schedule", {"hours": []}, cost(count)),
        ("time-off", away, 2 * cost(count) - 1),
    ):
        path = f"/v1/doctors/{doctor_id}/{change}/preview"
        answer = await shared.http.post(path, headers=somebody(shared), json=body)
        assert (answer.json()["total"], spent(answer)) == (count, units)
