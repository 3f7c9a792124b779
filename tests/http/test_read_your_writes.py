"""What one ingress has told confirmed, every read of every other shows at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.clinic import CHECKUP, Clinic, Patient, free_port, ingress, instant
from tests.http.asking import get

CLIENTS = 12


@pytest.fixture(scope="module")
async def both(shared: Clinic) -> AsyncIterator[list[Clinic]]:
    """The same clinic through two ingresses."""
    port = free_port()
    own = shared.settings.model_copy(update={"port": port, "url": f"http://127.0.0.1:{port}"})
    async with ingress(own) as http:
        yield [shared, Clinic(own, http, shared.postgres)]


async def check_shown(http: httpx.AsyncClient, who: dict[str, str], staff: dict[str, str], path: str) -> Any:
    """That the reads agree about an appointment: what it is."""
    appointment = await get(http, path, who)
    day = instant(appointment["starts_at"]).date()
    doctor = f"/v1/doctors/{appointment['doctor_id']}"
    period: dict[str, Any] = {"from_": day, "to": day}
    offer, mine, theirs, calendar, history = await asyncio.gather(
        get(http, f"{doctor}/availability", visit_type="checkup", **period),
        get(http, "/v1/appointments", who),
        get(http, "/v1/appointments", staff, doctor_id=appointment["doctor_id"], **period),
        get(http, f"{doctor}/calendar", staff, **period),
        get(http, f"{path}/history", who),
    )
    free = [slot["starts_at"] for one in offer["days"] for slot in one["slots"]]
    assert (appointment["starts_at"] in free) == (appointment["status"] != "booked")
    for listed in (mine["items"], theirs["items"]):
        assert [one for one in listed if one["id"] == appointment["id"]] == [appointment]
    [shown] = [one for one in calendar["appointments"] if one["id"] == appointment["id"]]
    assert shown == appointment | {"outside_hours": False}
    assert history["items"][-1]["version"] == appointment["version"]
    return appointment


async def live(clinics: list[Clinic], patient: Patient, doctors: list[str], slots: list[str]) -> int:
    """A patient who books, moves and cancels, each time at one ingress, and looks at the other."""
    looks = 0

    async def look(turn: int, path: str, **expected: Any) -> None:
        nonlocal looks
        other = clinics[(turn + 1) % 2]
        appointment = await check_shown(other.http, patient.headers, other.staff, path)
        assert appointment | expected == appointment
        looks += 1

    for turn, (here, there) in enumerate(zip(slots, slots[1:] + slots[:1], strict=True)):
        clinic = clinics[turn % 2]
        one, two = doctors[turn % 2], doctors[(turn + 1) % 2]
        body = {"doctor_id": one, "starts_at": here, "visit_type": "checkup"}
        booked = await clinic.confirmed("POST", "/v1/appointments", patient.headers, body)
        path = booked["links"]["appointment"]
        await look(turn, path, doctor_id=one, starts_at=here, status="booked", version=1)
        moved = {"starts_at": there, "doctor_id": two}
        clinic = clinics[(turn + 1) % 2]
        await clinic.confirmed("POST", f"{path}/reschedule", patient.headers, moved)
        await look(turn + 1, path, doctor_id=two, starts_at=there, status="booked", version=2)
        clinic = clinics[turn % 2]
        await clinic.confirmed("DELETE", path, patient.headers)
        await look(turn, path, status="cancelled", version=3)
    return looks


async def test_many_clients_see_what_they_did_wherever_they_look(both: list[Clinic]) -> None:
    shared, _ = both
    doctors = [await shared.doctor(visit_types=[CHECKUP]) for _ in range(2)]
    patients = [await shared.patient() for _ in range(CLIENTS)]
    # Of half an hour each, so that nobody is in another's way; all on the same two calendars.
    slots = (await shared.slots(doctors[0]))[::4]

    looks = await asyncio.gather(
        *(
            live(both, patient, doctors, slots[number * 3 : number * 3 + 3])
            for number, patient in enumerate(patients)
        )
    )

    assert looks == [9] * CLIENTS


async def test_changes_of_a_doctor_show_at_once_too(both: list[Clinic]) -> None:
    shared, _ = both
    doctor_id = await shared.doctor()
    path = f"/v1/doctors/{doctor_id}"
    [first, *_] = free = await shared.slots(doctor_id, days=1)
    for turn in range(6):
        here, there = both[turn % 2], both[(turn + 1) % 2]
        assert await there.slots(doctor_id, days=1) == free
        away = {"starts_at": first, "ends_at": free[4]}
        taken = await here.confirmed("POST", f"{path}/time-off", here.staff, away)
        assert await there.slots(doctor_id, days=1) == free[4:]
        await there.confirmed("PATCH", path, here.staff, {"active": False, "name": f"Dr. {turn}"})
        assert await here.slots(doctor_id, days=1) == []
        assert (await get(here.http, path))["name"] == f"Dr. {turn}"
        await here.confirmed("PATCH", path, here.staff, {"active": True})
        await here.confirmed("DELETE", f"{path}/time-off/{taken['time_off_id']}", here.staff)
