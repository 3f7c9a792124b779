"""Forgetting a patient: personal data is deleted, future appointments are cancelled."""

import asyncio
import signal
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from booking_worker.main import running_worker
from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.keys import Keys
from infra.settings import Settings
from storage.patients import REASON
from tests.clinic import Clinic, clinic, data, free_port, ingress, ingress_process, records
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
    is_cancelled_by_the_patient,
    register,
)
from tests.waiting import until_async


class TestAForgottenPatient:
    async def test_keeps_a_record_without_a_name(self, shared: Clinic) -> None:
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
                partial(is_cancelled_by_the_patient, shared, path), "the upcoming appointment is cancelled"
            )
            [*_, (type_, event)] = await events_of(shared, path)
            assert (type_, event["actor"]["kind"]) == ("AppointmentCancelled", "system")
        assert await shared.slots(doctor_id) == free
        after = [await get(shared.http, path, shared.staff) for path in (visited, dropped)]
        assert after == [appointment | {"reason": None} for appointment in before]
        answer = await shared.http.get(f"/v1/patients/{patient.id}", headers=shared.staff)
        problem(answer, 404, "not_found")
        found = await get(shared.http, "/v1/patients", shared.staff, email=email)
        assert found["items"] == []
        [row] = await shared.postgres.fetch("SELECT * FROM people.patients WHERE id = $1", patient.id)
        assert row["forgotten_at"]
        assert {row["address_bucket"], row["address_index"], row["data_key"], row["profile"]} == {None}

    async def test_has_a_token_without_access(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])

        await forget(shared, patient)

        await forget(shared, patient)  # the same answer again
        for method in ("GET", "PATCH"):
            body = {"name": NAME} if method == "PATCH" else None
            again = await shared.http.request(method, "/v1/me", headers=patient.headers, json=body)
            problem(again, 404, "not_found")
        problem(await book(shared, patient, booking(doctor_id, free[4])), 401, "unauthenticated")
        theirs = booking(doctor_id, free[4], patient_id=str(patient.id))
        by_staff = await shared.send("POST", "/v1/appointments", shared.staff, theirs)
        problem(by_staff, 422, "unknown_patient")

        gone = partial(is_cancelled_by_the_patient, shared, path)
        await until_async(gone, "the appointment is cancelled")
        move = {"starts_at": free[4]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, move) == "not_booked"

    async def test_has_reasons_that_can_no_longer_be_decrypted(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(
            shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0], reason="My left knee"
        )
        id_ = path.rpartition("/")[2]
        wrapped = await shared.postgres.fetchval(
            "SELECT data_key FROM people.patients WHERE id = $1", patient.id
        )
        keys = Keys.load(shared.settings)

        async def sealed() -> set[str]:
            on_the_log = [
                *await records(shared.settings, COMMANDS_TOPIC),
                *await records(shared.settings, EVENTS_TOPIC),
            ]
            values = [data(record) for record in on_the_log]
            return {
                value["reason"]
                for value in values
                if value.get("appointment_id") == id_ and "starts_at" in value
            }

        async def published() -> bool:
            types = [
                dict(record.headers)["ce_type"]
                for record in await shared.events()
                if id_ in str(record.value)
            ]
            return b"clinic.booking.AppointmentCancelled.v1" in types

        [text] = await sealed()
        assert keys.unwrap(patient.id, wrapped).open_text(text, REASON, UUID(id_)) == "My left knee"

        await forget(shared, patient)

        await until_async(published, "the cancellation on the events' topic")
        assert await sealed() == {text}, "the log keeps ciphertext that no key decrypts"
        rows = await shared.postgres.fetch("SELECT p::text AS row FROM people.patients p")
        assert not [row for row in rows if wrapped.hex() in row["row"]], "no copy of the key is left"

    async def test_may_register_again_as_a_new_patient(self, shared: Clinic) -> None:
        patient = await shared.patient()
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]
        await forget(shared, patient)

        new = await register(shared, email, name=NAME)

        assert new["id"] != str(patient.id)
        problem(await shared.http.get("/v1/me", headers=patient.headers), 404, "not_found")

    async def test_is_forgotten_once_by_simultaneous_requests(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])

        answers = await asyncio.gather(
            *(shared.http.delete("/v1/me", headers=patient.headers) for _ in range(5)),
            *(shared.http.patch("/v1/me", headers=patient.headers, json={"name": NAME}) for _ in range(5)),
        )

        assert {answer.status_code for answer in answers[:5]} == {204}
        assert {answer.status_code for answer in answers[5:]} <= {200, 404}

        gone = partial(is_cancelled_by_the_patient, shared, path)
        await until_async(gone, "the appointment is cancelled")
        types = [type_ for type_, _ in await events_of(shared, path)]
        assert types == ["AppointmentBooked", "AppointmentCancelled"]


class TestABookingStillOnTheLog:
    @pytest.mark.parametrize("killed", [False, True], ids=["ingress runs on", "ingress is killed"])
    async def test_is_cancelled_once_it_is_decided(
        self, settings: Settings, template: str, tmp_path: Path, killed: bool
    ) -> None:
        async with clinic(settings, template, worker=False, serve=False) as own:
            first, second = (ingress_process(own.settings, tmp_path, number) for number in (1, 2))
            await first.start()
            try:
                async with running_worker(own.settings):
                    doctor_id, patient = await own.doctor(), await own.patient()
                    free = await own.slots(doctor_id)
                accepted = await book(own, patient, booking(doctor_id, free[0]), wait=0)
                assert accepted.status_code == 202

                await forget(own, patient)
                if killed:
                    first.send(signal.SIGKILL)
                    await first.stop()
                    await second.start()
                async with running_worker(own.settings):
                    path = accepted.json()["links"]["appointment"]
                    decided = await get(own.http, accepted.headers["location"], own.staff, wait=10)
                    assert decided["state"] == "confirmed"
                    await until_async(
                        partial(is_cancelled_by_the_patient, own, path), "the booking is cancelled"
                    )
                    await until_async(partial(is_complete, own, patient.id), "the forgetting is complete")

                assert [type_ for type_, _ in await events_of(own, path)] == [
                    "AppointmentBooked",
                    "AppointmentCancelled",
                ]
                assert await own.slots(doctor_id) == free
            finally:
                await first.stop()
                await second.stop()

    async def test_is_cancelled_by_the_next_check_of_forgotten_patients(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        await shared.postgres.execute(
            "UPDATE people.patients SET forgotten_at = now(), data_key = NULL, key_epoch = NULL,"
            " profile = NULL, address_index = NULL WHERE id = $1",
            patient.id,
        )

        async with ingress(shared.settings.model_copy(update={"port": free_port()})):
            await until_async(partial(is_cancelled_by_the_patient, shared, path), "it is cancelled")


async def is_complete(clinic: Clinic, patient_id: UUID) -> bool:
    """Whether the forgetting of a patient has come to its end."""
    completed_at = await clinic.postgres.fetchval(
        "SELECT completed_at FROM people.forgettings WHERE patient_id = $1", patient_id
    )
    return completed_at is not None
