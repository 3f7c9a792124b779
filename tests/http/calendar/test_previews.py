"""Previews change nothing, are for staff, and take the bodies of the writes that they are about."""

from typing import Any

import pytest

from contracts.commands import Actor
from contracts.security import BookRead
from contracts.topics import COMMANDS_TOPIC
from infra import clock
from ingress.calendar import previews
from tests.clinic import Clinic, records
from tests.http.asking import booked, pointers, problem
from tests.http.audit.test_security_events import by
from tests.http.calendar.previewing import ask, at, hours, id_of, ids, in_days, previewed
from tests.waiting import until_async

CHANGES: dict[str, dict[str, Any]] = {
    "schedule": {"hours": hours("20:00", "21:00")},
    "time-off": {"starts_at": at(in_days(1), 0), "ends_at": "2199-12-31T00:00:00Z", "note": "At sea"},
}


@pytest.mark.parametrize("change", CHANGES)
class TestBoth:
    async def test_change_nothing(self, shared: Clinic, change: str) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        await booked(shared, patient.headers, doctor_id, at(in_days(2), 9))

        async def state() -> Any:
            statement = "SELECT version FROM booking.calendar_versions ORDER BY doctor_id"
            return await shared.postgres.fetch(statement), len(await records(shared.settings, COMMANDS_TOPIC))

        before = await state()
        assert (await previewed(shared, doctor_id, change, CHANGES[change]))["total"] == 1
        assert await state() == before

    async def test_list_the_first_and_count_all(
        self, shared: Clinic, change: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(previews, "ITEMS_MAX", 2)
        doctor_id, patient = await shared.doctor(), await shared.patient()
        paths = [
            await booked(shared, patient.headers, doctor_id, at(in_days(2), hour)) for hour in (9, 11, 13)
        ]

        preview = await previewed(shared, doctor_id, change, CHANGES[change])

        assert (ids(preview["items"]), preview["total"]) == (list(map(id_of, paths[:2])), 3)

    async def test_are_recorded_with_the_patients_shown(
        self, shared: Clinic, change: str, staff: Actor
    ) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        await booked(shared, patient.headers, doctor_id, at(in_days(2), 9))

        answer = await ask(shared, doctor_id, change, CHANGES[change], shared.headers(staff))

        async def recorded() -> bool:
            return bool(await by(shared, staff))

        assert answer.status_code == 200
        await until_async(recorded, "the read")
        [read] = await by(shared, staff)
        assert isinstance(read, BookRead)
        assert (read.view, str(read.doctor_id)) == (f"{change}-preview".replace("-", "_"), doctor_id)
        assert (read.patient_ids, read.shown) == ((patient.id,), 1)

    async def test_are_for_staff_and_known_doctors(self, shared: Clinic, change: str) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        body = CHANGES[change]
        problem(await ask(shared, doctor_id, change, body, patient.headers), 403, "forbidden")
        problem(await ask(shared, doctor_id, change, body, {}), 401, "unauthenticated")
        for nobody in (str(clock.new_id()), "x"):
            problem(await ask(shared, nobody, change, body), 404, "not_found")


async def test_bodies_are_those_of_the_writes(shared: Clinic) -> None:
    doctor_id = await shared.doctor()
    off = CHANGES["time-off"]
    for method, change, body in (
        ("PUT", "schedule", {}),
        ("PUT", "schedule", {"hours": hours("12:00", "09:00", 1)}),
        ("PUT", "schedule", {"hours": hours("09:00", "12:00", 8)}),
        ("PUT", "schedule", {"hours": hours("09:00", "12:00", 1) * 201}),
        ("PUT", "schedule", {"hours": [{**hours("09:00", "12:00", 1)[0], "valid_from": "0001-01-01"}]}),
        ("POST", "time-off", off | {"ends_at": off["starts_at"]}),
        ("POST", "time-off", off | {"starts_at": 10**30}),
        ("POST", "time-off", off | {"note": "a\0"}),
        ("POST", "time-off", off | {"cancel_conflicting": "true"}),
        ("POST", "time-off", off | {"reason": "x"}),
    ):
        written = await shared.send(method, f"/v1/doctors/{doctor_id}/{change}", shared.staff, body)
        assert pointers(await ask(shared, doctor_id, change, body)) == pointers(written) != []
