"""A reschedule: the appointment moves in one step, to another time and perhaps another doctor."""

import asyncio
from itertools import pairwise
from typing import Any

from infra import clock
from tests.clinic import CHECKUP, Clinic, instant
from tests.http.asking import (
    RESOURCE,
    booked,
    cancel,
    events_of,
    get,
    pointers,
    problem,
    reschedule,
)

LONG = {"code": "long", "name": "Long", "minutes": 60}


async def try_to_move(clinic: Clinic, path: str, who: dict[str, str], starts_at: str, **more: Any) -> Any:
    """Whatever becomes of it: the command resource."""
    response = await clinic.send("POST", f"{path}/reschedule", who, {"starts_at": starts_at, **more})
    assert response.status_code == 200, response.text
    return response.json()


class TestAReschedule:
    async def test_moves_the_appointment_to_another_time(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        before = await get(shared.http, path, patient.headers)

        resource = await reschedule(shared, path, patient.headers, free[8])

        assert (list(resource), resource["type"]) == (RESOURCE, "RescheduleAppointment")
        assert (resource["appointment_id"], resource["doctor_id"]) == (before["id"], doctor_id)
        assert resource["links"]["appointment"] == path
        moved = {"starts_at": free[8], "ends_at": free[10], "version": 2}
        assert await get(shared.http, path, patient.headers) == before | moved
        left = await shared.slots(doctor_id)
        assert [slot for slot in free if slot not in left] == free[7:10]
        (_, first), (type_, second) = await events_of(shared, path)
        assert type_ == "AppointmentRescheduled"
        place = {name: first[name] for name in ("doctor_id", "visit_type", "starts_at", "ends_at")}
        assert second["previous"] == place
        assert (second["version"], instant(second["starts_at"])) == (2, instant(free[8]))

    async def test_moves_the_appointment_to_another_doctor(self, shared: Clinic) -> None:
        patient, from_id = await shared.patient(), await shared.doctor()
        free = await shared.slots(from_id)
        path = await booked(shared, patient.headers, from_id, free[0])
        # Several, so that some are in the same partition's hands and some in others'.
        for version, to_id in enumerate([await shared.doctor() for _ in range(4)], start=2):
            at = free[version]
            resource = await reschedule(shared, path, patient.headers, at, doctor_id=to_id)

            assert resource["doctor_id"] == to_id
            appointment = await get(shared.http, path, patient.headers)
            expected = {"doctor_id": to_id, "starts_at": at, "version": version, "status": "booked"}
            assert appointment | expected == appointment
            assert await shared.slots(from_id) == free
            assert at not in await shared.slots(to_id)
            type_, event = (await events_of(shared, path))[-1]
            assert (type_, event["previous"]["doctor_id"]) == ("AppointmentRescheduled", from_id)
            assert (event["doctor_id"], event["version"]) == (to_id, version)
            from_id = to_id
        assert len(await events_of(shared, path)) == 5

    async def test_may_change_the_visit_type(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(visit_types=[CHECKUP, LONG])
        patient = await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])

        await reschedule(shared, path, patient.headers, free[1], visit_type="long")

        appointment = await get(shared.http, path, patient.headers)
        assert [appointment[name] for name in ("visit_type", "starts_at", "ends_at")] == [
            *("long", free[1], free[5]),
        ], "its own old time was not in its way"
        other_id = await shared.doctor()
        body = {"starts_at": free[1], "doctor_id": other_id}
        refused = await shared.refused("POST", f"{path}/reschedule", patient.headers, body)
        assert refused == "unknown_visit_type", "the visit type stays, and the other has none of that code"
        assert await get(shared.http, path, patient.headers) == appointment

    async def test_is_for_the_patient_concerned_in_time_and_for_staff_always(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(
            policy={"change_notice_minutes": 60 * 24 * 30, "max_active_per_patient": 1}
        )
        patient, stranger = await shared.patient(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        body = {"starts_at": free[4]}

        theirs = await shared.send("POST", f"{path}/reschedule", stranger.headers, body)
        nobodys = await shared.send(
            "POST", f"/v1/appointments/{clock.new_id()}/reschedule", stranger.headers, body
        )
        problem(theirs, 404, "not_found")
        assert theirs.content == nobodys.content
        refused = await shared.refused("POST", f"{path}/reschedule", patient.headers, body)
        assert refused == "too_late_to_change"
        await reschedule(shared, path, shared.staff, free[4])
        assert (await get(shared.http, path, patient.headers))["starts_at"] == free[4]

    async def test_needs_a_good_request(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        path += "/reschedule"
        for body, expected in (
            ({}, ["/starts_at"]),
            ({"starts_at": "2030-01-01T09:00:00"}, ["/starts_at"]),
            ({"starts_at": "2030-01-01T09:00:00Z", "doctor_id": "x"}, ["/doctor_id"]),
            ({"starts_at": "2030-01-01T09:00:00Z", "visit_type": "X Y"}, ["/visit_type"]),
            ({"starts_at": "2030-01-01T09:00:00Z", "patient_id": str(patient.id)}, ["/patient_id"]),
        ):
            assert pointers(await shared.send("POST", path, patient.headers, body)) == expected
        body = {"starts_at": "2030-01-01T09:00:00Z"}
        no_key = await shared.http.post(path, headers=patient.headers, json=body)
        problem(no_key, 400, "idempotency_key_missing")
        problem(await shared.send("POST", path, {}, body), 401, "unauthenticated")

    async def test_is_held_by_the_count_of_the_other_doctor_only(self, shared: Clinic) -> None:
        policy = {"max_active_per_patient": 1}
        one, two = await shared.doctor(policy=policy), await shared.doctor(policy=policy)
        patient = await shared.patient()
        free = await shared.slots(one)
        path = await booked(shared, patient.headers, one, free[0])
        await booked(shared, patient.headers, two, free[4])

        body = {"starts_at": free[8], "doctor_id": two}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, body) == "too_many_active"
        busy = {"starts_at": free[4]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, busy) == "patient_busy"
        await reschedule(shared, path, patient.headers, free[8])


class TestNeverBothTimesOrNeither:
    async def test_while_it_moves_to_and_fro(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        here, *_, there = await shared.slots(doctor_id, days=1)
        path = await booked(shared, patient.headers, doctor_id, here)
        moving = True

        async def watch() -> int:
            looks = 0
            while moving:
                free = await shared.slots(doctor_id, days=1)
                assert (here in free) != (there in free)
                looks += 1
            return looks

        watching = asyncio.create_task(watch())
        for _ in range(10):
            await reschedule(shared, path, shared.staff, there)
            await reschedule(shared, path, shared.staff, here)
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

    async def test_when_two_want_the_same_time(self, shared: Clinic) -> None:
        for round_ in range(4):
            doctors = [await shared.doctor() for _ in range(3)]
            patients = [await shared.patient() for _ in range(2)]
            free = await shared.slots(doctors[0])
            # Each comes from a doctor, or a time, of its own.
            froms = [(doctors[1], free[0]), (doctors[2], free[0])] if round_ % 2 else []
            froms = froms or [(doctors[0], free[0]), (doctors[0], free[4])]
            paths = [
                await booked(shared, patient.headers, *place)
                for patient, place in zip(patients, froms, strict=True)
            ]

            told = await asyncio.gather(
                *(
                    try_to_move(shared, path, patient.headers, free[12], doctor_id=doctors[0])
                    for path, patient in zip(paths, patients, strict=True)
                )
            )

            assert sorted(one["state"] for one in told) == ["confirmed", "refused"]
            for path, place, resource in zip(paths, froms, told, strict=True):
                appointment = await get(shared.http, path, shared.staff)
                doctor_id, at = place
                if resource["state"] == "confirmed":
                    assert at in await shared.slots(doctor_id)
                    assert (appointment["doctor_id"], appointment["starts_at"]) == (doctors[0], free[12])
                else:
                    assert resource["refusal"]["reason"] == "slot_taken"
                    assert at not in await shared.slots(doctor_id)
                    assert (appointment["doctor_id"], appointment["starts_at"]) == place
                    assert appointment["version"] == 1

    async def test_when_it_is_wanted_at_many_places_at_once(self, shared: Clinic) -> None:
        doctors = [await shared.doctor() for _ in range(6)]
        patient = await shared.patient()
        at = (await shared.slots(doctors[0]))[0]
        path = await booked(shared, patient.headers, doctors[0], at)

        told = await asyncio.gather(
            *(try_to_move(shared, path, shared.staff, at, doctor_id=doctor_id) for doctor_id in doctors[1:])
        )

        assert {one["state"] for one in told} == {"confirmed"}, "one after the other"
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
            one, two = await shared.doctor(), await shared.doctor()
            patient = await shared.patient()
            free = await shared.slots(one)
            path = await booked(shared, patient.headers, one, free[0])

            moved, _ = await asyncio.gather(
                try_to_move(shared, path, patient.headers, free[4], doctor_id=two),
                cancel(shared, path, patient.headers),
            )

            assert moved["state"] == "confirmed" or moved["refusal"]["reason"] == "not_booked"
            appointment = await get(shared.http, path, patient.headers)
            assert appointment["status"] == "cancelled"
            assert await shared.slots(one) == await shared.slots(two) == free
