"""An appointment's history: every event in order, across doctors."""

from typing import Any

from infra import clock
from tests.clinic import Clinic, instant
from tests.http.asking import booked, cancel, get, into_the_past, problem, reschedule

FIELDS = [
    "event", "at", "actor", "version", "doctor_id", "visit_type", "starts_at", "ends_at",
    "outcome", "cancelled_by", "cancel_reason", "refusal", "command_id", "audit",
]  # fmt: skip


async def history(clinic: Clinic, path: str, who: dict[str, str]) -> list[dict[str, Any]]:
    page = await get(clinic.http, f"{path}/history", who)
    assert (list(page), page["next_cursor"]) == (["items", "next_cursor"], None)
    assert all(list(entry) == FIELDS for entry in page["items"])
    items: list[dict[str, Any]] = page["items"]
    return items


class TestAHistory:
    async def test_has_every_event_in_order_across_doctors(self, shared: Clinic) -> None:
        doctors = [await shared.doctor() for _ in range(5)]
        patient = await shared.patient()
        free = await shared.slots(doctors[0])
        path = await booked(shared, patient.headers, doctors[0], free[0], reason="My left knee")
        taken = await booked(shared, (await shared.patient()).headers, doctors[1], free[4])
        assert taken != path
        for number, doctor_id in enumerate(doctors[1:], start=1):
            wanted = {"starts_at": free[4], "doctor_id": doctors[1]}
            refused = await shared.refused("POST", f"{path}/reschedule", patient.headers, wanted)
            assert refused == "slot_taken"
            who = shared.staff if number % 2 else patient.headers
            await reschedule(shared, path, who, free[number * 4 + 8], doctor_id=doctor_id)
        await cancel(shared, path, shared.staff, reason="doctor_ill")
        await cancel(shared, path, patient.headers)

        entries = await history(shared, path, patient.headers)

        expected: list[tuple[Any, ...]] = [("AppointmentBooked", "patient", 1, None)]
        for number in range(1, 5):
            expected.append(("CommandRefused", "patient", None, "slot_taken"))
            actor = "staff" if number % 2 else "patient"
            expected.append(("AppointmentRescheduled", actor, number + 1, None))
        expected.append(("AppointmentCancelled", "staff", 6, None))
        expected.append(("CommandConfirmed", "patient", None, None))
        found = [(entry["event"], entry["actor"], entry["version"], entry["refusal"]) for entry in entries]
        assert found == expected
        moves = [entry for entry in entries if entry["version"] is not None]
        assert [move["doctor_id"] for move in moves] == [*doctors, doctors[-1]]
        assert [move["starts_at"] for move in moves[:-1]] == [free[0], *free[12:28:4]]
        assert (moves[-1]["cancelled_by"], moves[-1]["cancel_reason"]) == ("staff", "doctor_ill")
        times = [instant(entry["at"]) for entry in entries]
        assert times == sorted(times)
        assert len({entry["command_id"] for entry in entries}) == len(entries)
        assert "knee" not in str(entries)
        assert await history(shared, path, shared.staff) == entries

    async def test_ends_with_the_outcome(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        early = {"outcome": "no_show"}
        assert await shared.refused("POST", f"{path}/outcome", shared.staff, early) == "not_started"
        await into_the_past(shared, path)
        await shared.confirmed("POST", f"{path}/outcome", shared.staff, {"outcome": "completed"})
        await shared.refused("DELETE", path, shared.staff)

        entries = await history(shared, path, patient.headers)

        assert [(entry["event"], entry["outcome"], entry["refusal"]) for entry in entries] == [
            ("AppointmentBooked", None, None),
            ("CommandRefused", None, "not_started"),
            ("OutcomeRecorded", "completed", None),
            ("CommandRefused", None, "not_booked"),
        ]

    async def test_shows_that_the_clinic_cancelled_for_time_off(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[4])
        body = {"starts_at": free[0], "ends_at": free[8], "cancel_conflicting": True}
        await shared.confirmed("POST", f"/v1/doctors/{doctor_id}/time-off", shared.staff, body)

        [*_, last] = await history(shared, path, patient.headers)

        assert [last[name] for name in ("event", "actor", "cancelled_by", "cancel_reason")] == [
            "AppointmentCancelled",
            "staff",
            "clinic",
            "time_off",
        ]

    async def test_is_for_the_patient_concerned_and_for_staff(self, shared: Clinic) -> None:
        doctor_id, patient, stranger = await shared.doctor(), await shared.patient(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        problem(await shared.http.get(f"{path}/history", headers=stranger.headers), 404, "not_found")
        problem(await shared.http.get(f"{path}/history"), 401, "unauthenticated")
        for nobody in (clock.new_id(), "x", doctor_id):
            answer = await shared.http.get(f"/v1/appointments/{nobody}/history", headers=shared.staff)
            problem(answer, 404, "not_found")
