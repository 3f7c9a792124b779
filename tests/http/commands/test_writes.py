"""Every write is a command: accepted with a receipt, decided once, answered with the command resource."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.commands import Actor, ActorKind
from contracts.doctors import Policy
from infra import clock
from tests.clinic import CHECKUP, Clinic, instant
from tests.http.asking import RESOURCE, book, booking, get, pointers, problem
from tests.waiting import until_async


class TestABooking:
    async def test_without_prefer_is_accepted_and_its_receipt_shows_the_decision(
        self, shared: Clinic
    ) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        starts_at = (await shared.slots(doctor_id))[0]

        accepted = await book(shared, patient, booking(doctor_id, starts_at), wait=0)

        assert (accepted.status_code, accepted.headers["retry-after"]) == (202, "1")
        assert "preference-applied" not in accepted.headers
        assert "idempotency-replayed" not in accepted.headers
        pending = accepted.json()
        assert list(pending) == RESOURCE
        links = pending["links"]
        assert links == {
            "self": accepted.headers["location"],
            "appointment": f"/v1/appointments/{pending['appointment_id']}",
        }
        assert links["self"].startswith("/v1/commands/")
        assert pending | {"type": "BookAppointment", "state": "pending", "doctor_id": doctor_id} == pending
        assert {pending[name] for name in ("decided_at", "queue_ahead", "time_off_id", "refusal")} == {None}
        assert abs(instant(pending["submitted_at"]) - clock.now()) < timedelta(seconds=30)

        polled: list[dict[str, Any]] = []

        async def decided() -> bool:
            polled.append(await get(shared.http, links["self"], patient.headers))
            return bool(polled[-1]["state"] != "pending")

        await until_async(decided, "the decision")
        confirmed = polled[-1]
        assert confirmed == pending | {"state": "confirmed", "decided_at": confirmed["decided_at"]}
        assert confirmed["decided_at"] == confirmed["submitted_at"], "both are times of the broker"

        appointment = await get(shared.http, links["appointment"], patient.headers)
        assert appointment == {
            "id": confirmed["appointment_id"],
            "doctor_id": doctor_id,
            "patient_id": str(patient.id),
            "visit_type": "checkup",
            "starts_at": starts_at,
            "ends_at": (instant(starts_at) + timedelta(minutes=30)).isoformat(),
            "status": "booked",
            "version": 1,
            "booked_at": appointment["booked_at"],
            "cancelled_by": None,
            "cancel_reason": None,
            "reason": None,
        }
        assert instant(appointment["booked_at"]) == instant(confirmed["decided_at"])

    @pytest.mark.parametrize(
        ("seconds", "applied"), [("1234567890", 10), ("9" * 5000, 10), ("00000000007", 7)]
    )
    async def test_caps_the_wait_and_says_so(self, shared: Clinic, seconds: str, applied: int) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()

        response = await shared.http.post(
            "/v1/appointments",
            headers={**patient.headers, "Idempotency-Key": "long", "Prefer": f"wait={seconds}"},
            json=booking(doctor_id, (await shared.slots(doctor_id))[0]),
        )

        assert (response.status_code, response.headers["preference-applied"]) == (200, f"wait={applied}")

    async def test_with_prefer_is_answered_with_the_decision(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        starts = await shared.slots(doctor_id)
        for prefer, applied, starts_at in (
            ("wait=5", "wait=5", starts[0]),
            ("respond-async, WAIT = 600", "wait=10", starts[2]),
            ('handling=strict; x="y", wait="7"', "wait=7", starts[4]),
        ):
            response = await shared.http.post(
                "/v1/appointments",
                headers={**patient.headers, "Idempotency-Key": prefer.replace(" ", ""), "Prefer": prefer},
                json=booking(doctor_id, starts_at),
            )
            assert (response.status_code, response.headers["preference-applied"]) == (200, applied)
            assert "retry-after" not in response.headers
            confirmed = response.json()
            assert (list(confirmed), confirmed["state"]) == (RESOURCE, "confirmed")
            assert confirmed["links"]["self"] == response.headers["location"]
            assert await get(shared.http, confirmed["links"]["self"], patient.headers) == confirmed

    async def test_of_a_taken_slot_is_refused(self, shared: Clinic) -> None:
        doctor_id, first, second = await shared.doctor(), await shared.patient(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        await shared.confirmed("POST", "/v1/appointments", first.headers, body)

        response = await book(shared, second, body)

        refused = response.json()
        assert (response.status_code, list(refused), refused["state"]) == (200, RESOURCE, "refused")
        assert refused["refusal"] == {"reason": "slot_taken", "detail": "The time is taken."}
        assert refused["links"]["appointment"] is None
        made = f"/v1/appointments/{refused['appointment_id']}"
        problem(await shared.http.get(made, headers=second.headers), 404, "not_found")
        assert await get(shared.http, refused["links"]["self"], second.headers) == refused

    async def test_is_refused_with_the_reason_of_each_rule(self, shared: Clinic) -> None:
        policy = {"min_notice_minutes": 2 * 24 * 60, "horizon_days": 30, "max_active_per_patient": 1}
        doctor_id = await shared.doctor(policy=policy)
        other_id = await shared.doctor()
        patient = await shared.patient()
        first, *_, last = await shared.slots(doctor_id)
        at_other = booking(other_id, last)
        await shared.confirmed("POST", "/v1/appointments", patient.headers, at_other)

        def moved(**by: float) -> str:
            return (instant(last) + timedelta(**by)).isoformat()

        for body, reason in (
            (booking(str(clock.new_id()), last), "unknown_doctor"),
            (booking(doctor_id, last, visit_type="surgery"), "unknown_visit_type"),
            (booking(doctor_id, moved(days=-20)), "in_the_past"),
            (
                booking(doctor_id, first.replace(first[:10], str(clock.now().date() + timedelta(1)))),
                "too_soon",
            ),
            (booking(doctor_id, moved(days=30)), "too_far_ahead"),
            (booking(doctor_id, moved(hours=12)), "outside_hours"),
            (booking(doctor_id, moved(minutes=-1)), "not_a_slot"),
            (booking(doctor_id, last), "patient_busy"),
        ):
            assert await shared.refused("POST", "/v1/appointments", patient.headers, body) == reason, body
        await shared.confirmed(
            "POST", "/v1/appointments", patient.headers, booking(doctor_id, moved(hours=-2))
        )
        third_booking = booking(doctor_id, moved(hours=-4))
        assert (
            await shared.refused("POST", "/v1/appointments", patient.headers, third_booking)
            == "too_many_active"
        )


class TestWhoMayBook:
    async def test_staff_book_for_a_patient(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])

        assert pointers(await shared.send("POST", "/v1/appointments", shared.staff, body)) == ["/patient_id"]
        unknown = body | {"patient_id": str(clock.new_id())}
        problem(await shared.send("POST", "/v1/appointments", shared.staff, unknown), 422, "unknown_patient")
        mine = body | {"patient_id": str(patient.id)}
        booked = await shared.confirmed("POST", "/v1/appointments", shared.staff, mine)

        appointment = await get(shared.http, booked["links"]["appointment"], patient.headers)
        assert appointment["patient_id"] == str(patient.id)
        problem(await shared.http.get(booked["links"]["self"], headers=patient.headers), 404, "not_found")

    async def test_patients_book_for_themselves(self, shared: Clinic) -> None:
        doctor_id, patient, other = await shared.doctor(), await shared.patient(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])

        problem(await book(shared, patient, body | {"patient_id": str(other.id)}), 403, "forbidden")
        problem(await book(shared, patient, body | {"patient_id": str(clock.new_id())}), 403, "forbidden")
        assert (await book(shared, patient, body | {"patient_id": str(patient.id)})).json()[
            "state"
        ] == "confirmed"

    async def test_a_token_of_an_unknown_patient_books_nothing(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        nobody = Actor(kind=ActorKind.PATIENT, id=clock.new_id())

        response = await shared.send("POST", "/v1/appointments", shared.headers(nobody), body)

        problem(response, 401, "unauthenticated")

    async def test_staff_are_not_bound_by_notice_horizon_or_count(self, shared: Clinic) -> None:
        policy = {"min_notice_minutes": 5 * 24 * 60, "horizon_days": 6, "max_active_per_patient": 1}
        doctor_id, patient = await shared.doctor(policy=policy), await shared.patient()
        tomorrow = (clock.now() + timedelta(days=1)).date()
        for day in (1, 5, 20):
            starts_at = f"{tomorrow + timedelta(days=day)}T12:00:00+01:00"
            body = booking(doctor_id, starts_at, patient_id=str(patient.id))
            await shared.confirmed("POST", "/v1/appointments", shared.staff, body)


class TestADoctorsSchedule:
    async def test_starts_with_a_registration_by_staff(self, shared: Clinic) -> None:
        doctor_id = str(clock.new_id())
        body = {"id": doctor_id, "name": "Dr. Ада", "specialty": "tests", "visit_types": [CHECKUP]}

        registered = await shared.confirmed("POST", "/v1/doctors", shared.staff, body)

        assert (registered["type"], registered["doctor_id"]) == ("RegisterDoctor", doctor_id)
        assert registered["appointment_id"] is registered["links"]["appointment"] is None
        assert await get(shared.http, f"/v1/doctors/{doctor_id}") == {
            "id": doctor_id,
            "name": "Dr. Ада",
            "specialty": "tests",
            "time_zone": "Europe/Berlin",
            "active": True,
            "visit_types": [CHECKUP | {"buffer_before_minutes": 0, "buffer_after_minutes": 0}],
            "policy": Policy().model_dump(),
        }
        schedule = {"doctor_id": doctor_id, "time_zone": "Europe/Berlin", "hours": []}
        assert await get(shared.http, f"/v1/doctors/{doctor_id}/schedule") == schedule
        assert await shared.refused("POST", "/v1/doctors", shared.staff, body) == "already_registered"

    async def test_has_the_hours_that_staff_set(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        path = f"/v1/doctors/{doctor_id}/schedule"
        hours = [
            {"weekday": 1, "starts": "09:00", "ends": "12:30", "valid_from": None, "valid_until": None},
            {
                "weekday": 1,
                "starts": "13:00",
                "ends": "17:00",
                "valid_from": "2026-01-01",
                "valid_until": None,
            },
        ]

        set_ = await shared.confirmed("PUT", path, shared.staff, {"hours": hours})

        assert (set_["type"], set_["doctor_id"]) == ("SetWeeklyHours", doctor_id)
        assert (await get(shared.http, path))["hours"] == hours
        overlapping = {"hours": [*hours, {"weekday": 1, "starts": "12:00", "ends": "13:00"}]}
        assert await shared.refused("PUT", path, shared.staff, overlapping) == "overlapping_hours"
        assert (await get(shared.http, path))["hours"] == hours
        nobody = f"/v1/doctors/{clock.new_id()}/schedule"
        assert await shared.refused("PUT", nobody, shared.staff, {"hours": []}) == "unknown_doctor"
