"""Requests about an appointment from before its move to another doctor, or to its old doctor."""

from typing import Any
from uuid import UUID

import pytest

from booking_worker.main import running_worker
from contracts.commands import Actor, ActorKind, CancelAppointment
from infra import clock
from tests.clinic import Clinic, Patient
from tests.http.asking import (
    appended,
    booked,
    cancel,
    get,
    problem,
    reschedule,
)


class TestAfterItMovedToAnotherDoctor:
    @pytest.fixture
    async def places(self, shared: Clinic) -> tuple[str, str, list[str], Patient]:
        old_doctor, new_doctor = await shared.doctor(), await shared.doctor()
        return old_doctor, new_doctor, await shared.slots(old_doctor), await shared.patient()

    async def test_a_repeated_reschedule_gets_its_first_answer(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        old_doctor, new_doctor, free, patient = places
        path = await booked(shared, patient.headers, old_doctor, free[0])
        body = {"starts_at": free[4]}
        first = await shared.send("POST", f"{path}/reschedule", patient.headers, body, key="move")
        assert first.json()["state"] == "confirmed"
        await reschedule(shared, path, shared.staff, free[8], doctor_id=new_doctor)

        again = await shared.send("POST", f"{path}/reschedule", patient.headers, body, key="move")

        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert again.content == first.content
        assert again.json()["doctor_id"] == old_doctor
        appointment = await get(shared.http, path, patient.headers)
        assert (appointment["doctor_id"], appointment["starts_at"]) == (new_doctor, free[8])
        other = await shared.send(
            "POST", f"{path}/reschedule", patient.headers, body | {"doctor_id": old_doctor}, key="move"
        )
        problem(other, 422, "idempotency_key_reused")

    async def test_a_repeated_cancellation_or_outcome_gets_its_first_answer(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        _, new_doctor, free, patient = places
        strict_doctor = await shared.doctor(policy={"change_notice_minutes": 60 * 24 * 30})
        path = await booked(shared, patient.headers, strict_doctor, free[0])
        requests: list[tuple[Any, ...]] = [
            ("DELETE", path, patient.headers, None, "cancel"),
            ("POST", f"{path}/outcome", shared.staff, {"outcome": "completed"}, "note"),
        ]
        firsts = [await shared.send(*request) for request in requests]
        reasons = [first.json()["refusal"]["reason"] for first in firsts]
        assert reasons == ["too_late_to_change", "not_started"]
        await reschedule(shared, path, shared.staff, free[0], doctor_id=new_doctor)

        for request, first in zip(requests, firsts, strict=True):
            again = await shared.send(*request)
            assert (again.headers["idempotency-replayed"], again.content) == ("true", first.content)

    async def test_it_is_cancelled_with_its_new_doctor(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        old_doctor, new_doctor, free, patient = places
        path = await booked(shared, patient.headers, old_doctor, free[0])
        await reschedule(shared, path, patient.headers, free[4], doctor_id=new_doctor)

        resource = await cancel(shared, path, patient.headers)

        assert resource["doctor_id"] == new_doctor
        appointment = await get(shared.http, path, patient.headers)
        assert (appointment["status"], appointment["version"]) == ("cancelled", 3)
        assert await shared.slots(old_doctor) == await shared.slots(new_doctor) == free
        body = {"starts_at": free[0]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, body) == "not_booked"

    async def test_a_cancellation_sent_to_the_old_doctor_still_frees_the_new_time(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        old_doctor, new_doctor, free, patient = places
        path = await booked(shared, patient.headers, old_doctor, free[0])
        await reschedule(shared, path, patient.headers, free[4], doctor_id=new_doctor)
        late = CancelAppointment(
            command_id=clock.new_id(),
            fingerprint="0" * 32,
            actor=Actor(kind=ActorKind.PATIENT, id=patient.id),
            doctor_id=UUID(old_doctor),
            appointment_id=UUID(path.rpartition("/")[2]),
        )

        resource = await appended(shared, late, patient.headers)

        assert resource["state"] == "confirmed"
        assert (await get(shared.http, path, patient.headers))["status"] == "cancelled"
        assert await shared.slots(old_doctor) == await shared.slots(new_doctor) == free


async def test_a_retry_before_the_decision_goes_to_the_partition_of_the_first_try(undecided: Clinic) -> None:
    async with running_worker(undecided.settings):
        old_doctor, new_doctor = await undecided.doctor(), await undecided.doctor()
        patient, free = await undecided.patient(), await undecided.slots(old_doctor)
        path = await booked(undecided, patient.headers, old_doctor, free[0])
    requests: list[tuple[Any, ...]] = [
        ("POST", f"{path}/reschedule", patient.headers, {"starts_at": free[4]}, "later", 0),
        ("DELETE", path, patient.headers, None, "cancel", 0),
        ("POST", f"{path}/outcome", undecided.staff, {"outcome": "completed"}, "note", 0),
    ]
    firsts = [await undecided.send(*request) for request in requests]
    # It moves before any of them is decided.
    appointment_id = UUID(path.rpartition("/")[2])
    await undecided.postgres.execute(
        "UPDATE booking.appointments SET doctor_id = $2 WHERE id = $1", appointment_id, UUID(new_doctor)
    )
    again = [await undecided.send(*request) for request in requests]

    for first, second in zip(firsts, again, strict=True):
        assert (first.status_code, second.status_code) == (202, 202)
        assert (first.json()["doctor_id"], second.json()["doctor_id"]) == (old_doctor, old_doctor)
