"""The outcome of a visit: recorded by staff after it has begun, and corrected soon after."""

from datetime import UTC, datetime

from infra import clock
from tests.clinic import Clinic
from tests.http.asking import booked, cancel, events_of, get, into_the_past, pointers, problem


class TestAnOutcome:
    async def test_is_recorded_after_the_visit_has_begun(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        for number, outcome in enumerate(("completed", "no_show")):
            path = await booked(shared, patient.headers, doctor_id, free[number * 4])
            body = {"outcome": outcome}
            assert await shared.refused("POST", f"{path}/outcome", shared.staff, body) == "not_started"
            assert (await get(shared.http, path, patient.headers))["status"] == "booked"
            await into_the_past(shared, path)
            before = await get(shared.http, path, patient.headers)

            resource = await shared.confirmed("POST", f"{path}/outcome", shared.staff, body)

            assert (resource["type"], resource["doctor_id"]) == ("RecordOutcome", doctor_id)
            assert resource["links"]["appointment"] == path
            after = await get(shared.http, path, patient.headers)
            assert after == before | {"status": outcome, "version": before["version"] + 1}
            [event] = [data for type_, data in await events_of(shared, path) if type_ == "OutcomeRecorded"]
            assert (event["outcome"], event["patient_id"]) == (outcome, str(patient.id))
            listed = await get(shared.http, "/v1/appointments", patient.headers, status=outcome)
            assert listed["items"] == [after]

    async def test_ends_the_booking(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])
        await into_the_past(shared, path)
        body = {"outcome": "completed"}
        done = await shared.confirmed("POST", f"{path}/outcome", shared.staff, body)
        noted = await get(shared.http, path, patient.headers)

        for method, action, change in (
            ("POST", "/reschedule", {"starts_at": free[4]}),
            ("DELETE", "", None),
        ):
            assert await shared.refused(method, path + action, shared.staff, change) == "not_booked"
        again = await shared.confirmed("POST", f"{path}/outcome", shared.staff, body)
        assert again["command_id"] != done["command_id"]
        assert await get(shared.http, path, patient.headers) == noted
        assert await get(shared.http, done["links"]["self"], shared.staff) == done

    async def test_is_corrected_until_the_end_of_the_day_after_the_visit(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        first = (await shared.slots(doctor_id))[0]
        path = await booked(shared, patient.headers, doctor_id, first)
        days = (datetime.fromisoformat(first).astimezone(UTC) - clock.now()).days + 1
        await into_the_past(shared, path, days)
        outcome = f"{path}/outcome"
        missed = {"outcome": "no_show", "expected_version": 1}
        came = {"outcome": "completed", "expected_version": 2}
        await shared.confirmed("POST", outcome, shared.staff, missed)

        stale = {"outcome": "completed", "expected_version": 1}
        assert await shared.refused("POST", outcome, shared.staff, stale) == "changed_meanwhile"
        await shared.confirmed("POST", outcome, shared.staff, came)

        read = await get(shared.http, path, patient.headers)
        assert (read["status"], read["version"]) == ("completed", 3)
        history = (await get(shared.http, f"{path}/history", shared.staff))["items"]
        told = [
            (entry["outcome"], entry["version"]) for entry in history if entry["event"] == "OutcomeRecorded"
        ]
        assert told == [("no_show", 2), ("completed", 3)]

        await into_the_past(shared, path, days=2)
        assert await shared.refused("POST", outcome, shared.staff, missed | {"expected_version": 3}) == (
            "too_late_to_change"
        )
        assert (await get(shared.http, path, patient.headers))["status"] == "completed"

    async def test_of_a_cancelled_appointment_is_refused(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        await cancel(shared, path, patient.headers)
        await into_the_past(shared, path)
        body = {"outcome": "no_show"}
        assert await shared.refused("POST", f"{path}/outcome", shared.staff, body) == "not_booked"

    async def test_is_recorded_by_staff_and_is_one_of_two_values(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        body = {"outcome": "completed"}
        problem(await shared.send("POST", f"{path}/outcome", patient.headers, body), 403, "forbidden")
        nobodys = f"/v1/appointments/{clock.new_id()}/outcome"
        problem(await shared.send("POST", nobodys, shared.staff, body), 404, "not_found")
        for bad in ({}, {"outcome": "booked"}, {"outcome": None}, {"outcome": 1}):
            assert pointers(await shared.send("POST", f"{path}/outcome", shared.staff, bad)) == ["/outcome"]
