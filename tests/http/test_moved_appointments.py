"""What was asked about an appointment before, or with its old doctor, after it moved to another one."""

from typing import Any
from uuid import UUID

import pytest

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
        one, two = await shared.doctor(), await shared.doctor()
        return one, two, await shared.slots(one), await shared.patient()

    async def test_a_repeated_reschedule_gets_its_first_answer(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        one, two, free, patient = places
        path = await booked(shared, patient.headers, one, free[0])
        body = {"starts_at": free[4]}
        first = await shared.send("POST", f"{path}/reschedule", patient.headers, body, key="move")
        assert first.json()["state"] == "confirmed"
        await reschedule(shared, path, shared.staff, free[8], doctor_id=two)

        again = await shared.send("POST", f"{path}/reschedule", patient.headers, body, key="move")

        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert again.content == first.content
        assert again.json()["doctor_id"] == one
        appointment = await get(shared.http, path, patient.headers)
        assert (appointment["doctor_id"], appointment["starts_at"]) == (two, free[8])
        other = await shared.send(
            "POST", f"{path}/reschedule", patient.headers, body | {"doctor_id": one}, key="move"
        )
        problem(other, 422, "idempotency_key_reused")

    async def test_a_repeated_cancellation_or_outcome_gets_its_first_answer(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        _, two, free, patient = places
        one = await shared.doctor(policy={"change_notice_minutes": 60 * 24 * 30})
        path = await booked(shared, patient.headers, one, free[0])
        requests: list[tuple[Any, ...]] = [
            ("DELETE", path, patient.headers, None, "cancel"),
            ("POST", f"{path}/outcome", shared.staff, {"outcome": "completed"}, "note"),
        ]
        firsts = [await shared.send(*request) for request in requests]
        reasons = [first.json()["refusal"]["reason"] for first in firsts]
        assert reasons == ["too_late_to_change", "not_started"]
        await reschedule(shared, path, shared.staff, free[0], doctor_id=two)

        for request, first in zip(requests, firsts, strict=True):
            again = await shared.send(*request)
            assert (again.headers["idempotency-replayed"], again.content) == ("true", first.content)

    async def test_it_is_cancelled_where_it_is(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        one, two, free, patient = places
        path = await booked(shared, patient.headers, one, free[0])
        await reschedule(shared, path, patient.headers, free[4], doctor_id=two)

        resource = await cancel(shared, path, patient.headers)

        assert resource["doctor_id"] == two
        appointment = await get(shared.http, path, patient.headers)
        assert (appointment["status"], appointment["version"]) == ("cancelled", 3)
        assert await shared.slots(one) == await shared.slots(two) == free
        body = {"starts_at": free[0]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, body) == "not_booked"

    async def test_a_cancellation_sent_to_the_old_doctor_still_frees_the_new_time(
        self, shared: Clinic, places: tuple[str, str, list[str], Patient]
    ) -> None:
        one, two, free, patient = places
        path = await booked(shared, patient.headers, one, free[0])
        await reschedule(shared, path, patient.headers, free[4], doctor_id=two)
        late = CancelAppointment(
            command_id=clock.new_id(),
            fingerprint="0" * 32,
            actor=Actor(kind=ActorKind.PATIENT, id=patient.id),
            doctor_id=UUID(one),
            appointment_id=UUID(path.rpartition("/")[2]),
        )

        resource = await appended(shared, late, patient.headers)

        assert resource["state"] == "confirmed"
        assert (await get(shared.http, path, patient.headers))["status"] == "cancelled"
        assert await shared.slots(one) == await shared.slots(two) == free
