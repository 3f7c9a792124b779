"""The same Idempotency-Key again: the same command, the same answer."""

import asyncio

from infra import clock
from tests.clinic import Clinic, instant
from tests.http.asking import book, booking, cancel, get, problem


class TestARepeatWithTheSameKey:
    async def test_gets_the_same_answer_however_it_is_written(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        starts_at = instant((await shared.slots(doctor_id))[0])
        body = booking(doctor_id, starts_at.isoformat(), reason="A cough")
        key = clock.new_id().hex
        first = await book(shared, patient, body, key)
        assert first.json()["state"] == "confirmed"
        assert "idempotency-replayed" not in first.headers

        utc = starts_at.astimezone(clock.now().tzinfo)
        for same, same_key in (
            (body, key),
            (body, f'"{key}"'),
            (body | {"starts_at": utc.isoformat().replace("+00:00", "Z")}, key),
            (body | {"starts_at": utc.isoformat().replace("+00:00", ".000000-00:00")}, key),
            (body | {"doctor_id": doctor_id.upper()}, key),
            (body | {"patient_id": str(patient.id)}, key),
            (dict(reversed(body.items())), key),
        ):
            for wait in (0, 5):
                again = await book(shared, patient, same, same_key, wait)
                assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true"), same
                assert "preference-applied" not in again.headers
                assert "retry-after" not in again.headers
                assert again.content == first.content
                assert again.headers["location"] == first.headers["location"]
        mine = await get(shared.http, "/v1/appointments", patient.headers)
        assert len(mine["items"]) == 1

    async def test_is_refused_again_even_if_it_could_be_confirmed_now(self, shared: Clinic) -> None:
        doctor_id, first, second = await shared.doctor(), await shared.patient(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        taken = await shared.confirmed("POST", "/v1/appointments", first.headers, body)
        refused = await book(shared, second, body, "my-key")
        assert refused.json()["refusal"]["reason"] == "slot_taken"
        await cancel(shared, taken["links"]["appointment"], first.headers)

        again = await book(shared, second, body, "my-key")

        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert again.content == refused.content
        assert (await book(shared, second, body, "another-key")).json()["state"] == "confirmed"

    async def test_of_another_request_is_an_error(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        first, second, *_ = await shared.slots(doctor_id)
        body = booking(doctor_id, first, reason="one")
        done = (await book(shared, patient, body, "my-key")).json()

        others = [
            body | {"starts_at": second},
            body | {"reason": "two"},
            body | {"doctor_id": str(clock.new_id())},
            body | {"visit_type": "surgery"},
            booking(doctor_id, first),
        ]
        for other in others:
            response = await book(shared, patient, other, "my-key")
            assert problem(response, 422, "idempotency_key_reused") == []
        path = done["links"]["appointment"]
        problem(
            await shared.send("DELETE", path, patient.headers, key="my-key"), 422, "idempotency_key_reused"
        )
        assert (await get(shared.http, path, patient.headers))["status"] == "booked"

    async def test_by_another_caller_is_another_command(self, shared: Clinic) -> None:
        doctor_id, first_patient, second_patient = (
            await shared.doctor(),
            await shared.patient(),
            await shared.patient(),
        )
        first, second, third, *_ = (await shared.slots(doctor_id))[::4]

        answers = [
            await book(shared, first_patient, booking(doctor_id, first), "key"),
            await book(shared, second_patient, booking(doctor_id, second), "key"),
            await shared.send(
                "POST",
                "/v1/appointments",
                shared.staff,
                booking(doctor_id, third, patient_id=str(first_patient.id)),
                "key",
            ),
        ]

        assert {answer.json()["state"] for answer in answers} == {"confirmed"}
        assert len({answer.json()["command_id"] for answer in answers}) == 3
        assert len({answer.json()["appointment_id"] for answer in answers}) == 3

    async def test_at_the_same_time_has_one_effect_and_one_answer(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])

        answers = await asyncio.gather(*(book(shared, patient, body, "key") for _ in range(5)))

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].json()["state"] == "confirmed"
        events = await shared.postgres.fetchval(
            "SELECT count(*) FROM booking.events WHERE command_id = $1", answers[0].json()["command_id"]
        )
        assert events == 1

    async def test_key_may_have_any_visible_characters_up_to_255(self, shared: Clinic) -> None:
        patient = await shared.patient()
        body = booking(str(clock.new_id()), clock.now().isoformat())
        for key, same_key in (("k" * 255, f'"{"k" * 255}"'), ("a,b;c=\"d'", '"a,b;c="d\'"'), ("~!", '"~!"')):
            first, second = (
                await book(shared, patient, body, key),
                await book(shared, patient, body, same_key),
            )
            assert first.json()["refusal"]["reason"] == "unknown_doctor"
            assert (second.headers["idempotency-replayed"], second.content) == ("true", first.content)
