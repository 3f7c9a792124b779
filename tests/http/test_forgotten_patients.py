"""Forgotten when asked: what is personal is gone, what is to come is cancelled."""

import asyncio
from functools import partial

from contracts.topics import COMMANDS, EVENTS
from infra.keys import Keys
from ingress.patients import REASON_CONTEXT
from tests.clinic import Clinic, data, records
from tests.http.asking import (
    book,
    booked,
    booking,
    cancel,
    events_of,
    get,
    into_the_past,
    problem,
)
from tests.http.people import (
    NAME,
    forget,
    is_cancelled_by_the_clinic,
    register,
)
from tests.waiting import until_async


class TestAForgottenPatient:
    async def test_leaves_a_record_without_a_name(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(policy={"change_notice_minutes": 60 * 24 * 30})
        other_id, patient = await shared.doctor(), await shared.patient()
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]
        free = await shared.slots(doctor_id)
        visited = await booked(shared, patient.headers, doctor_id, free[0], reason="My left knee")
        await into_the_past(shared, visited)
        await shared.confirmed("POST", f"{visited}/outcome", shared.staff, {"outcome": "completed"})
        dropped = await booked(shared, patient.headers, other_id, free[0])
        await cancel(shared, dropped, patient.headers)
        upcoming = [
            await booked(shared, patient.headers, doctor_id, free[4], reason="My right knee"),
            await booked(shared, patient.headers, other_id, free[8]),
        ]
        before = [await get(shared.http, path, shared.staff) for path in (visited, dropped)]

        await forget(shared, patient)

        for path in upcoming:
            await until_async(
                partial(is_cancelled_by_the_clinic, shared, path), "the upcoming appointment is cancelled"
            )
            [*_, (type_, event)] = await events_of(shared, path)
            assert (type_, event["actor"]["kind"]) == ("AppointmentCancelled", "system")
        assert await shared.slots(doctor_id) == free
        assert [await get(shared.http, path, shared.staff) for path in (visited, dropped)] == before
        answer = await shared.http.get(f"/v1/patients/{patient.id}", headers=shared.staff)
        problem(answer, 404, "not_found")
        found = await get(shared.http, "/v1/patients", shared.staff, email=email)
        assert found["items"] == []
        [row] = await shared.postgres.fetch("SELECT * FROM people.patients WHERE id = $1", patient.id)
        assert row["forgotten_at"]
        assert {row["address_index"], row["data_key"], row["profile"]} == {None}

    async def test_has_a_token_that_opens_nothing_any_more(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])

        await forget(shared, patient)

        for method in ("GET", "PATCH", "DELETE"):
            body = {"name": NAME} if method == "PATCH" else None
            again = await shared.http.request(method, "/v1/me", headers=patient.headers, json=body)
            problem(again, 404, "not_found")
        problem(await book(shared, patient, booking(doctor_id, free[4])), 401, "unauthenticated")
        theirs = booking(doctor_id, free[4], patient_id=str(patient.id))
        by_staff = await shared.send("POST", "/v1/appointments", shared.staff, theirs)
        problem(by_staff, 422, "unknown_patient")

        gone = partial(is_cancelled_by_the_clinic, shared, path)
        await until_async(gone, "the appointment is cancelled")
        move = {"starts_at": free[4]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, move) == "not_booked"

    async def test_has_reasons_that_nobody_can_read_again(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(
            shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0], reason="My left knee"
        )
        id_ = path.rpartition("/")[2]
        wrapped = await shared.postgres.fetchval(
            "SELECT data_key FROM people.patients WHERE id = $1", patient.id
        )
        keys = Keys.load(shared.settings.master_key_file)

        async def sealed() -> set[str]:
            on_the_log = [*await records(shared.settings, COMMANDS), *await records(shared.settings, EVENTS)]
            values = [data(record) for record in on_the_log]
            return {
                one["reason"] for one in values if one.get("appointment_id") == id_ and "starts_at" in one
            }

        async def published() -> bool:
            types = [dict(one.headers)["ce_type"] for one in await shared.events() if id_ in str(one.value)]
            return b"clinic.booking.AppointmentCancelled.v1" in types

        [text] = await sealed()
        assert keys.unwrap(patient.id, wrapped).open_text(text, REASON_CONTEXT) == "My left knee"

        await forget(shared, patient)

        await until_async(published, "the cancellation on the events' topic")
        assert await sealed() == {text}, "the log keeps what no key opens"
        rows = await shared.postgres.fetch("SELECT p::text AS row FROM people.patients p")
        assert not [row for row in rows if wrapped.hex() in row["row"]], "the key is nowhere"

    async def test_may_come_back_as_a_new_one(self, shared: Clinic) -> None:
        patient = await shared.patient()
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]
        await forget(shared, patient)

        new = await register(shared, email, name=NAME)

        assert new["id"] != str(patient.id)
        problem(await shared.http.get("/v1/me", headers=patient.headers), 404, "not_found")

    async def test_is_forgotten_once_however_many_ask_at_the_same_time(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])

        answers = await asyncio.gather(
            *(shared.http.delete("/v1/me", headers=patient.headers) for _ in range(5)),
            *(shared.http.patch("/v1/me", headers=patient.headers, json={"name": NAME}) for _ in range(5)),
        )

        assert {answer.status_code for answer in answers[:5]} <= {204, 404}
        assert 204 in {answer.status_code for answer in answers[:5]}
        assert {answer.status_code for answer in answers[5:]} <= {200, 404}

        gone = partial(is_cancelled_by_the_clinic, shared, path)
        await until_async(gone, "the appointment is cancelled")
        types = [type_ for type_, _ in await events_of(shared, path)]
        assert types == ["AppointmentBooked", "AppointmentCancelled"]
