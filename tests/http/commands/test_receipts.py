"""The receipt of a write: who may use it, and its answers before and after the decision."""

import asyncio

from booking_worker.main import running_worker
from infra import clock
from tests.clinic import CHECKUP, Clinic
from tests.http.asking import book, booking, get, problem


class TestTheReceipt:
    async def test_is_valid_for_its_sender_and_for_staff(self, shared: Clinic) -> None:
        doctor_id, patient, other = await shared.doctor(), await shared.patient(), await shared.patient()
        body = booking(doctor_id, (await shared.slots(doctor_id))[0])
        booked = await shared.confirmed("POST", "/v1/appointments", patient.headers, body)
        path = booked["links"]["self"]

        response = await shared.http.get(path, headers=patient.headers)
        assert (response.json(), response.headers["cache-control"]) == (booked, "no-store")
        assert await get(shared.http, path, shared.staff) == booked
        problem(await shared.http.get(path, headers=other.headers), 404, "not_found")
        problem(await shared.http.get(path), 401, "unauthenticated")

    async def test_cannot_be_forged(self, shared: Clinic) -> None:
        patient = await shared.patient()
        body = booking(str(clock.new_id()), clock.now().isoformat())
        receipt = (await book(shared, patient, body)).json()["links"]["self"].rpartition("/")[2]

        flipped = [
            receipt[:at] + ("B" if receipt[at] == "A" else "A") + receipt[at + 1 :]
            for at in (*range(0, len(receipt), 11), len(receipt) - 1)
        ]
        cut = [receipt[:length] for length in (1, 20, 21, 22, len(receipt) // 2, len(receipt) - 1)]
        longer = [f"{receipt}A", f"{receipt}AAAA", f"{receipt}=", f"A{receipt}", f"{receipt}%20", receipt * 2]
        others = ["A" * len(receipt), str(clock.new_id()), "%C3%A9", "%00", "-", "A" * 8_000]
        for forged in flipped + cut + longer + others:
            for who in (patient.headers, shared.staff):
                problem(await shared.http.get(f"/v1/commands/{forged}", headers=who), 404, "not_found")

    async def test_shows_pending_until_the_decision_and_can_wait_for_it(self, undecided: Clinic) -> None:
        clinic = undecided
        doctor_id, patient = clock.new_id(), await clinic.patient()
        body = {"id": str(doctor_id), "name": "Dr. Test", "specialty": "tests", "visit_types": [CHECKUP]}
        first, second = [
            (await clinic.send("POST", "/v1/doctors", clinic.staff, body, wait=wait)).json()
            for wait in (0, 1)
        ]
        paths = [first["links"]["self"], second["links"]["self"]]
        for path, ahead in zip(paths, (0, 1), strict=True):
            response = await clinic.http.get(path, headers=clinic.staff)
            assert response.headers["retry-after"] == "1"
            resource = response.json()
            assert (resource["state"], resource["queue_ahead"], resource["decided_at"]) == (
                "pending",
                ahead,
                None,
            )
        own = await book(clinic, patient, booking(str(doctor_id), clock.now().isoformat()), wait=0)
        assert own.json()["state"] == "pending"

        began_at = asyncio.get_running_loop().time()
        waiting = [asyncio.create_task(get(clinic.http, path, clinic.staff, wait=10)) for path in paths]
        async with running_worker(clinic.settings):
            confirmed, refused = await asyncio.gather(*waiting)
            took_s = asyncio.get_running_loop().time() - began_at

        assert took_s < 10
        assert confirmed == first | {"state": "confirmed", "decided_at": confirmed["decided_at"]}
        assert refused["refusal"]["reason"] == "already_registered"
        assert [await get(clinic.http, path, clinic.staff) for path in paths] == [confirmed, refused]

    async def test_of_another_body_with_the_same_key_shows_a_refusal(self, undecided: Clinic) -> None:
        clinic = undecided
        ids = [str(clock.new_id()) for _ in range(3)]
        patient = await clinic.patient()
        # Three at once, before anything is decided, in the partitions of up to three doctors.
        bodies = [booking(doctor_id, clock.now().isoformat()) for doctor_id in (ids[0], *ids)]
        bodies[0]["visit_type"] = "surgery"
        accepted = [await book(clinic, patient, body, "key", wait=0) for body in bodies]
        assert {answer.status_code for answer in accepted} == {202}
        assert len({answer.json()["command_id"] for answer in accepted}) == 1

        async with running_worker(clinic.settings):
            paths = [answer.headers["location"] for answer in accepted]
            resources = [await get(clinic.http, path, patient.headers, wait=10) for path in paths]

        reasons = [resource["refusal"]["reason"] for resource in resources]
        assert sorted(reasons) == [*["idempotency_key_reused"] * 3, "unknown_doctor"]
        assert reasons[1] == "idempotency_key_reused", "the first with this doctor came before it"
        for body, reason, resource in zip(bodies, reasons, resources, strict=True):
            answer = await book(clinic, patient, body, "key", wait=0)
            if reason == "unknown_doctor":
                assert answer.json() == resource
            else:
                problem(answer, 422, "idempotency_key_reused")
