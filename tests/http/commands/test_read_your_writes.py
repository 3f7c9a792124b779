"""Every read at every ingress shows at once what any ingress has confirmed."""

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
    """Asserts that all reads agree about an appointment; returns it."""
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
    free = [slot["starts_at"] for day in offer["days"] for slot in day["slots"]]
    assert (appointment["starts_at"] in free) == (appointment["status"] != "booked")
    for listed in (mine["items"], theirs["items"]):
        assert [item for item in listed if item["id"] == appointment["id"]] == [appointment]
    [shown] = [item for item in calendar["appointments"] if item["id"] == appointment["id"]]
    assert shown == appointment | {"outside_hours": False}
    assert history["items"][-1]["version"] == appointment["version"]
    return appointment


async def live(clinics: list[Clinic], patient: Patient, doctors: list[str], slots: list[str]) -> int:
    """A patient books, moves and cancels, each time at one ingress, and reads at the other."""
    looks = 0

    async def look(turn: int, path: str, **expected: Any) -> None:
        nonlocal looks
        other = clinics[(turn + 1) % 2]
        appointment = await check_shown(other.http, patient.headers, other.staff, path)
        assert appointment | expected == appointment
        looks += 1

    for turn, (slot, next_slot) in enumerate(zip(slots, slots[1:] + slots[:1], strict=True)):
        clinic = clinics[turn % 2]
        old_doctor, new_doctor = doctors[turn % 2], doctors[(turn + 1) % 2]
        body = {"doctor_id": old_doctor, "starts_at": slot, "visit_type": "checkup"}
        booked = await clinic.confirmed("POST", "/v1/appointments", patient.headers, body)
        path = booked["links"]["appointment"]
        await look(turn, path, doctor_id=old_doctor, starts_at=slot, status="booked", version=1)
        moved = {"starts_at": next_slot, "doctor_id": new_doctor}
        clinic = clinics[(turn + 1) % 2]
        await clinic.confirmed("POST", f"{path}/reschedule", patient.headers, moved)
        await look(turn + 1, path, doctor_id=new_doctor, starts_at=next_slot, status="booked", version=2)
        clinic = clinics[turn % 2]
        await clinic.confirmed("DELETE", path, patient.headers)
        await look(turn, path, status="cancelled", version=3)
    return looks


async def test_many_clients_see_their_writes_at_either_ingress(both: list[Clinic]) -> None:
    shared, _ = both
    doctors = [await shared.doctor(visit_types=[CHECKUP]) for _ in range(2)]
    patients = [await shared.patient() for _ in range(CLIENTS)]
    # Half an hour each, so that nobody blocks another; all with the same two doctors.
    slots = (await shared.slots(doctors[0]))[::4]

    looks = await asyncio.gather(
        *(
            live(both, patient, doctors, slots[number * 3 : number * 3 + 3])
            for number, patient in enumerate(patients)
        )
    )

    assert looks == [9] * CLIENTS


async def test_a_doctors_changes_show_at_once_too(both: list[Clinic]) -> None:
    shared, _ = both
    doctor_id = await shared.doctor()
    path = f"/v1/doctors/{doctor_id}"
    [first, *_] = free = await shared.slots(doctor_id, days=1)
    for turn in range(6):
        writer, reader = both[turn % 2], both[(turn + 1) % 2]
        assert await reader.slots(doctor_id, days=1) == free
        away = {"starts_at": first, "ends_at": free[4]}
        taken = await writer.confirmed("POST", f"{path}/time-off", writer.staff, away)
        assert await reader.slots(doctor_id, days=1) == free[4:]
        await reader.confirmed("PATCH", path, writer.staff, {"active": False, "name": f"Dr. {turn}"})
        assert await writer.slots(doctor_id, days=1) == []
        assert (await get(writer.http, path))["name"] == f"Dr. {turn}"
        await writer.confirmed("PATCH", path, writer.staff, {"active": True})
        await writer.confirmed("DELETE", f"{path}/time-off/{taken['time_off_id']}", writer.staff)
