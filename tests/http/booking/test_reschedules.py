"""Reschedules: the appointment moves in one step, to another time, another doctor or both."""

from infra import clock
from tests.clinic import CHECKUP, Clinic, instant
from tests.http.asking import (
    RESOURCE,
    booked,
    events_of,
    get,
    pointers,
    problem,
    reschedule,
)

LONG = {"code": "long", "name": "Long", "minutes": 60}


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
        kept = ("doctor_id", "visit_type", "starts_at", "ends_at", "promised_start")
        assert second["previous"] == {name: first[name] for name in kept}
        assert (second["version"], instant(second["starts_at"])) == (2, instant(free[8]))

    async def test_moves_the_appointment_to_another_doctor(self, shared: Clinic) -> None:
        patient, from_id = await shared.patient(), await shared.doctor()
        free = await shared.slots(from_id)
        path = await booked(shared, patient.headers, from_id, free[0])
        # Several, so that some are in the same partition and some are not.
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
            "long",
            free[1],
            free[5],
        ], "its own old time does not block it"
        other_id = await shared.doctor()
        body = {"starts_at": free[1], "doctor_id": other_id}
        refused = await shared.refused("POST", f"{path}/reschedule", patient.headers, body)
        assert refused == "unknown_visit_type", (
            "the visit type stays, and the new doctor has none with that code"
        )
        assert await get(shared.http, path, patient.headers) == appointment

    async def test_to_the_same_time_is_confirmed_without_another_event(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        appointment = await get(shared.http, path, patient.headers)

        for fields in ({}, {"doctor_id": doctor_id}, {"visit_type": "checkup"}):
            resource = await reschedule(shared, path, patient.headers, free[0], **fields)
            assert resource["refusal"] is None

        assert await get(shared.http, path, patient.headers) == appointment
        types = sorted(type_ for type_, _ in await events_of(shared, path))
        assert types == ["AppointmentBooked", *["CommandConfirmed"] * 3]

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

    async def test_needs_a_valid_request(self, shared: Clinic) -> None:
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

    async def test_is_limited_only_by_the_new_doctors_count(self, shared: Clinic) -> None:
        policy = {"max_active_per_patient": 1}
        old_doctor, new_doctor = await shared.doctor(policy=policy), await shared.doctor(policy=policy)
        patient = await shared.patient()
        free = await shared.slots(old_doctor)
        path = await booked(shared, patient.headers, old_doctor, free[0])
        await booked(shared, patient.headers, new_doctor, free[4])

        body = {"starts_at": free[8], "doctor_id": new_doctor}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, body) == "too_many_active"
        busy = {"starts_at": free[4]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, busy) == "patient_busy"
        await reschedule(shared, path, patient.headers, free[8])
