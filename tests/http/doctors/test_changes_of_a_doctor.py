"""A doctor's data changes: only the fields given; bookings stay."""

from typing import Any

from contracts.doctors import Policy
from infra import clock
from tests.clinic import ALL_WEEK, CHECKUP, Clinic, instant
from tests.http.asking import booked, booking, cancel, get, pointers, problem, reschedule

SURGERY = {"code": "surgery", "name": "Surgery", "minutes": 120}


async def patch(clinic: Clinic, doctor_id: str, **changes: Any) -> dict[str, Any]:
    """A change, which has to be confirmed."""
    return await clinic.confirmed("PATCH", f"/v1/doctors/{doctor_id}", clinic.staff, changes)


class TestAChange:
    async def test_affects_only_the_fields_given(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(policy={"min_notice_minutes": 30, "max_active_per_patient": 7})
        path = f"/v1/doctors/{doctor_id}"
        free = await shared.slots(doctor_id)
        away = {"starts_at": free[0], "ends_at": free[4]}
        await shared.confirmed("POST", f"{path}/time-off", shared.staff, away)
        known = await get(shared.http, path)
        hours, slots = await get(shared.http, f"{path}/schedule"), await shared.slots(doctor_id)

        changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({"name": "Dr. Ада"}, {"name": "Dr. Ада"}),
            ({"specialty": "more tests", "name": None}, {"specialty": "more tests"}),
            ({}, {}),
            ({"policy": {}}, {}),
            ({"policy": None, "active": None, "visit_types": None, "time_zone": None}, {}),
        ]
        for change, expected in changes:
            resource = await patch(shared, doctor_id, **change)
            assert (resource["type"], resource["doctor_id"]) == ("UpdateDoctor", doctor_id)
            known |= expected
            assert await get(shared.http, path) == known
        for policy in (
            {"slot_minutes": 20},
            {"horizon_days": 10, "change_notice_minutes": None},
            {"slot_minutes": 15, "min_notice_minutes": 0},
        ):
            await patch(shared, doctor_id, policy=policy)
            known["policy"] |= {name: value for name, value in policy.items() if value is not None}
            assert await get(shared.http, path) == known
        changed = {"min_notice_minutes": 0, "max_active_per_patient": 7, "horizon_days": 10}
        assert known["policy"] == Policy().model_dump() | changed
        assert await get(shared.http, f"{path}/schedule") == hours
        assert await shared.slots(doctor_id) == slots

    async def test_of_the_policy_applies_from_the_next_booking_on(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(policy={"max_active_per_patient": 1}), await shared.patient()
        free = await shared.slots(doctor_id)
        await booked(shared, patient.headers, doctor_id, free[0])
        body = booking(doctor_id, free[8])
        assert await shared.refused("POST", "/v1/appointments", patient.headers, body) == "too_many_active"

        await patch(shared, doctor_id, policy={"max_active_per_patient": 2})
        await booked(shared, patient.headers, doctor_id, free[8])
        await patch(shared, doctor_id, policy={"min_notice_minutes": 525_600})

        assert await shared.slots(doctor_id) == []
        body = booking(doctor_id, free[16])
        assert await shared.refused("POST", "/v1/appointments", patient.headers, body) == "too_soon"

    async def test_of_a_buffer_keeps_the_buffers_of_existing_bookings(self, shared: Clinic) -> None:
        surgery = {**SURGERY, "minutes": 60}
        prepared = {**CHECKUP, "buffer_before_minutes": 15}
        doctor_id, other = await shared.doctor(visit_types=[prepared, surgery]), await shared.doctor()
        free = await shared.slots(other)
        await booked(shared, (await shared.patient()).headers, doctor_id, free[8])
        await patch(shared, doctor_id, visit_types=[CHECKUP, surgery])
        busy = await shared.patient()
        await booked(shared, busy.headers, other, free[4])

        body = booking(doctor_id, free[4], visit_type="surgery")
        assert await shared.refused("POST", "/v1/appointments", busy.headers, body) == "slot_taken"

    async def test_of_the_visit_types_keeps_bookings_of_removed_ones(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        before = await get(shared.http, path, patient.headers)

        await patch(shared, doctor_id, visit_types=[SURGERY])

        assert await get(shared.http, path, patient.headers) == before
        body = booking(doctor_id, free[8])
        assert await shared.refused("POST", "/v1/appointments", patient.headers, body) == "unknown_visit_type"
        first, *_ = await shared.slots(doctor_id, "surgery")
        assert first == free[2], "the booked half hour is still taken"
        entry = await shared.http.get(f"{path}/calendar.ics", headers=patient.headers)
        assert "checkup" in entry.text
        await cancel(shared, path, patient.headers)

    async def test_of_the_zone_moves_the_hours_but_no_booking(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        before = await get(shared.http, path, patient.headers)

        await patch(shared, doctor_id, time_zone="Asia/Tokyo")

        assert await get(shared.http, path, patient.headers) == before
        moved = await shared.slots(doctor_id)
        assert all(slot.endswith("+09:00") for slot in moved)
        assert min(slot[11:16] for slot in moved) == "08:00"
        assert instant(free[0]) not in map(instant, moved), "it is 16:00 in that zone, and taken"

    async def test_is_for_staff_with_a_known_doctor_and_valid_values(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = f"/v1/doctors/{doctor_id}"
        problem(await shared.send("PATCH", path, patient.headers, {"name": "X"}), 403, "forbidden")
        problem(await shared.send("PATCH", path, {}, {"name": "X"}), 401, "unauthenticated")
        problem(await shared.send("PATCH", "/v1/doctors/x", shared.staff, {"name": "X"}), 404, "not_found")
        nobody = f"/v1/doctors/{clock.new_id()}"
        assert await shared.refused("PATCH", nobody, shared.staff, {"name": "X"}) == "unknown_doctor"
        for body, expected in (
            ({"name": ""}, ["/name"]),
            ({"active": "no"}, ["/active"]),
            ({"active": 0}, ["/active"]),
            ({"time_zone": "Mars/Olympus"}, ["/time_zone"]),
            ({"visit_types": []}, ["/visit_types"]),
            ({"visit_types": [CHECKUP, CHECKUP]}, ["/visit_types"]),
            ({"policy": {"slot_minutes": 0}}, ["/policy/slot_minutes"]),
            ({"policy": {"slots": 1}}, ["/policy/slots"]),
            ({"id": doctor_id}, ["/id"]),
        ):
            assert pointers(await shared.send("PATCH", path, shared.staff, body)) == expected


async def test_an_inactive_doctor_keeps_bookings_and_takes_no_new_ones(shared: Clinic) -> None:
    doctor_id, other_id, patient = await shared.doctor(), await shared.doctor(), await shared.patient()
    free = await shared.slots(doctor_id)
    kept = await booked(shared, patient.headers, doctor_id, free[0])
    gone = await booked(shared, patient.headers, doctor_id, free[4])
    away = await booked(shared, patient.headers, doctor_id, free[8])
    before = await get(shared.http, kept, patient.headers)

    await patch(shared, doctor_id, active=False)

    assert (await get(shared.http, f"/v1/doctors/{doctor_id}"))["active"] is False
    assert await shared.slots(doctor_id) == []
    assert await get(shared.http, kept, patient.headers) == before
    for who, fields in ((patient.headers, {}), (shared.staff, {"patient_id": str(patient.id)})):
        body = booking(doctor_id, free[16], **fields)
        assert await shared.refused("POST", "/v1/appointments", who, body) == "doctor_inactive"
    move = {"starts_at": free[16]}
    assert await shared.refused("POST", f"{kept}/reschedule", patient.headers, move) == "doctor_inactive"
    await cancel(shared, gone, patient.headers)
    await reschedule(shared, away, patient.headers, free[8], doctor_id=other_id)
    await patch(shared, doctor_id, active=True)
    assert await get(shared.http, kept, patient.headers) == before
    assert free[4] in await shared.slots(doctor_id)
    await booked(shared, patient.headers, doctor_id, free[16])


async def test_new_hours_leave_bookings_that_no_longer_fit_and_the_calendar_flags_them(
    shared: Clinic,
) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    free = await shared.slots(doctor_id, days=1)
    early = await booked(shared, patient.headers, doctor_id, free[0])
    across = await booked(shared, patient.headers, doctor_id, free[7])
    fits = await booked(shared, patient.headers, doctor_id, free[10])
    day = free[0][:10]

    async def flags() -> dict[str, bool]:
        path = f"/v1/doctors/{doctor_id}/calendar"
        calendar = await get(shared.http, path, shared.staff, from_=day, to=day)
        return {
            f"/v1/appointments/{appointment['id']}": appointment["outside_hours"]
            for appointment in calendar["appointments"]
        }

    assert await flags() == {early: False, across: False, fits: False}
    before = [await get(shared.http, path, patient.headers) for path in (early, across, fits)]
    # From 10:00: the second is from 9:45 to 10:15.
    hours = [entry | {"starts": "10:00"} for entry in ALL_WEEK]
    path = f"/v1/doctors/{doctor_id}/schedule"
    await shared.confirmed("PUT", path, shared.staff, {"hours": hours})

    assert [await get(shared.http, path, patient.headers) for path in (early, across, fits)] == before
    assert await flags() == {early: True, across: True, fits: False}
    assert (await shared.slots(doctor_id, days=1))[0] == free[12], "10:15 to 11:00 is taken or too short"
    await cancel(shared, early, patient.headers)
    assert await flags() == {early: False, across: True, fits: False}, "only booked appointments count"
    await shared.confirmed("PUT", path, shared.staff, {"hours": []})
    assert await flags() == {early: False, across: True, fits: True}
    assert await shared.slots(doctor_id) == []
    await shared.confirmed("PUT", path, shared.staff, {"hours": ALL_WEEK})
    assert await flags() == {early: False, across: False, fits: False}
