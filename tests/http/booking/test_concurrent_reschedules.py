"""Reschedules while others read, move or cancel: the appointment always has exactly one time."""

import asyncio
from itertools import pairwise

from tests.clinic import Clinic
from tests.http.asking import (
    booked,
    cancel,
    events_of,
    get,
    reschedule,
    try_to_reschedule,
)


class TestExactlyOneTime:
    async def test_while_it_moves_to_and_fro(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        early, *_, late = await shared.slots(doctor_id, days=1)
        path = await booked(shared, patient.headers, doctor_id, early)
        moving = True

        async def watch() -> int:
            looks = 0
            while moving:
                free = await shared.slots(doctor_id, days=1)
                assert (early in free) != (late in free)
                looks += 1
            return looks

        watching = asyncio.create_task(watch())
        for _ in range(10):
            await reschedule(shared, path, shared.staff, late)
            await reschedule(shared, path, shared.staff, early)
        moving = False
        assert await watching

    async def test_while_it_moves_between_doctors(self, shared: Clinic) -> None:
        doctors = [await shared.doctor() for _ in range(3)]
        patient = await shared.patient()
        at = (await shared.slots(doctors[0]))[0]
        path = await booked(shared, patient.headers, doctors[0], at)
        moving, seen = True, set()

        async def watch() -> None:
            while moving:
                [item] = (await get(shared.http, "/v1/appointments", patient.headers))["items"]
                assert (item["status"], item["starts_at"]) == ("booked", at)
                seen.add(item["doctor_id"])

        watching = asyncio.create_task(watch())
        for number in range(1, 13):
            await reschedule(shared, path, shared.staff, at, doctor_id=doctors[number % 3])
        moving = False
        await watching

        assert len(seen) > 1
        assert at not in await shared.slots(doctors[0])
        assert [doctor for doctor in doctors if at in await shared.slots(doctor)] == doctors[1:]

    async def test_when_two_appointments_are_moved_to_the_same_time(self, shared: Clinic) -> None:
        for round_ in range(4):
            doctors = [await shared.doctor() for _ in range(3)]
            patients = [await shared.patient() for _ in range(2)]
            free = await shared.slots(doctors[0])
            # Each from a doctor or a time of its own.
            froms = [(doctors[1], free[0]), (doctors[2], free[0])] if round_ % 2 else []
            froms = froms or [(doctors[0], free[0]), (doctors[0], free[4])]
            paths = [
                await booked(shared, patient.headers, *visit)
                for patient, visit in zip(patients, froms, strict=True)
            ]

            resources = await asyncio.gather(
                *(
                    try_to_reschedule(shared, path, patient.headers, free[12], doctor_id=doctors[0])
                    for path, patient in zip(paths, patients, strict=True)
                )
            )

            assert sorted(resource["state"] for resource in resources) == ["confirmed", "refused"]
            for path, visit, resource in zip(paths, froms, resources, strict=True):
                appointment = await get(shared.http, path, shared.staff)
                doctor_id, at = visit
                if resource["state"] == "confirmed":
                    assert at in await shared.slots(doctor_id)
                    assert (appointment["doctor_id"], appointment["starts_at"]) == (doctors[0], free[12])
                else:
                    assert resource["refusal"]["reason"] == "slot_taken"
                    assert at not in await shared.slots(doctor_id)
                    assert (appointment["doctor_id"], appointment["starts_at"]) == visit
                    assert appointment["version"] == 1

    async def test_when_it_is_moved_to_many_doctors_at_once(self, shared: Clinic) -> None:
        doctors = [await shared.doctor() for _ in range(6)]
        patient = await shared.patient()
        at = (await shared.slots(doctors[0]))[0]
        path = await booked(shared, patient.headers, doctors[0], at)

        resources = await asyncio.gather(
            *(
                try_to_reschedule(shared, path, shared.staff, at, doctor_id=doctor_id)
                for doctor_id in doctors[1:]
            )
        )

        assert {resource["state"] for resource in resources} == {"confirmed"}, "one after the other"
        appointment = await get(shared.http, path, patient.headers)
        assert (appointment["version"], appointment["status"]) == (6, "booked")
        taken = [doctor_id for doctor_id in doctors if at not in await shared.slots(doctor_id)]
        assert taken == [appointment["doctor_id"]]
        events = await events_of(shared, path)
        assert [event["version"] for _, event in events] == [1, 2, 3, 4, 5, 6]
        for (_, before), (_, after) in pairwise(events):
            assert after["previous"]["doctor_id"] == before["doctor_id"]

    async def test_when_it_is_cancelled_at_the_same_moment(self, shared: Clinic) -> None:
        for _ in range(4):
            old_doctor, new_doctor = await shared.doctor(), await shared.doctor()
            patient = await shared.patient()
            free = await shared.slots(old_doctor)
            path = await booked(shared, patient.headers, old_doctor, free[0])

            moved, _ = await asyncio.gather(
                try_to_reschedule(shared, path, patient.headers, free[4], doctor_id=new_doctor),
                cancel(shared, path, patient.headers),
            )

            assert moved["state"] == "confirmed" or moved["refusal"]["reason"] == "not_booked"
            appointment = await get(shared.http, path, patient.headers)
            assert appointment["status"] == "cancelled"
            assert await shared.slots(old_doctor) == await shared.slots(new_doctor) == free
