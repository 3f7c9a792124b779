"""Cancellations: who may cancel, until when, and the effects."""

from tests.clinic import Clinic
from tests.http.asking import RESOURCE, booking, cancel, get, pointers, problem


class TestACancellation:
    async def test_by_the_patient_frees_the_slot(self, shared: Clinic) -> None:
        doctor_id, patient, other = await shared.doctor(), await shared.patient(), await shared.patient()
        before = await shared.slots(doctor_id)
        body = booking(doctor_id, before[0])
        booked = await shared.confirmed("POST", "/v1/appointments", patient.headers, body)
        path = booked["links"]["appointment"]
        assert before[0] not in await shared.slots(doctor_id)

        response = await shared.send("DELETE", path, patient.headers, key="cancel")

        resource = response.json()
        assert (response.status_code, list(resource), resource["type"]) == (
            200,
            RESOURCE,
            "CancelAppointment",
        )
        ids = ("appointment_id", "doctor_id", "time_off_id")
        assert [resource[name] for name in ids] == [booked["appointment_id"], doctor_id, None]
        appointment = await get(shared.http, path, patient.headers)
        expected = {"status": "cancelled", "version": 2, "cancelled_by": "patient", "cancel_reason": None}
        assert appointment | expected == appointment
        assert await shared.slots(doctor_id) == before
        again = await shared.send("DELETE", path, patient.headers, key="cancel")
        assert (again.headers["idempotency-replayed"], again.content) == ("true", response.content)
        await shared.confirmed("POST", "/v1/appointments", other.headers, body)

    async def test_by_staff_may_have_a_reason(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        path = (await shared.confirmed("POST", "/v1/appointments", patient.headers, body))["links"][
            "appointment"
        ]

        forbidden = await shared.send("DELETE", f"{path}?reason=doctor_ill", patient.headers)
        problem(forbidden, 403, "forbidden")
        for free_text in ("Too+ill", "ada_holm_has_flu", "DOCTOR_ILL"):
            answer = await shared.send("DELETE", f"{path}?reason={free_text}", shared.staff)
            assert pointers(answer) == ["/reason"]
            assert free_text not in answer.text
        await cancel(shared, path, shared.staff, reason="doctor_ill")

        appointment = await get(shared.http, path, patient.headers)
        assert (appointment["cancelled_by"], appointment["cancel_reason"]) == ("staff", "doctor_ill")

    async def test_of_a_cancelled_appointment_is_confirmed_and_changes_nothing(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        booked = await shared.confirmed("POST", "/v1/appointments", patient.headers, body)
        path = booked["links"]["appointment"]
        await cancel(shared, path, patient.headers)
        cancelled = await get(shared.http, path, patient.headers)

        await cancel(shared, path, patient.headers)
        await cancel(shared, path, shared.staff, reason="doctor_ill")

        assert await get(shared.http, path, patient.headers) == cancelled
        types = await shared.postgres.fetch(
            "SELECT type FROM booking.events WHERE subject = $1 ORDER BY sequence", booked["appointment_id"]
        )
        assert sum("AppointmentCancelled" in row["type"] for row in types) == 1

    async def test_is_for_the_patient_concerned_in_time_and_for_staff_at_any_time(
        self, shared: Clinic
    ) -> None:
        doctor_id = await shared.doctor(policy={"change_notice_minutes": 60 * 24 * 30})
        patient, stranger = await shared.patient(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        path = (await shared.confirmed("POST", "/v1/appointments", patient.headers, body))["links"][
            "appointment"
        ]

        problem(await shared.send("DELETE", path, stranger.headers), 404, "not_found")
        assert await shared.refused("DELETE", path, patient.headers) == "too_late_to_change"
        assert (await get(shared.http, path, patient.headers))["status"] == "booked"
        await cancel(shared, path, shared.staff)
