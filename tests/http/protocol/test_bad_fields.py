"""Wrong fields and parameters: each named by its JSON pointer (RFC 6901), its value never repeated."""

import json
from urllib.parse import quote

import pytest

from ingress.http.problems import ERRORS_MAX
from tests.clinic import Clinic, Patient
from tests.http.asking import JSON, echoed, pointers, post_booking
from tests.http.protocol.bad_bodies import BAD_BOOKINGS, BAD_DOCTORS, BAD_SCHEDULES, BOOKING

pytestmark = pytest.mark.usefixtures("nothing_reaches_the_log")


async def test_a_booking_names_the_wrong_fields(shared: Clinic, patient: Patient) -> None:
    for body, expected in BAD_BOOKINGS:
        response = await post_booking(shared, patient.headers, json.dumps(body).encode())
        assert sorted(pointers(response)) == sorted(expected), body
        assert echoed(response, body) == []


async def test_a_doctor_and_hours_name_the_wrong_fields(shared: Clinic, doctor_id: str) -> None:
    schedule = f"/v1/doctors/{doctor_id}/schedule"
    for method, path, bodies in (("POST", "/v1/doctors", BAD_DOCTORS), ("PUT", schedule, BAD_SCHEDULES)):
        for body, expected in bodies:
            response = await shared.http.request(
                method,
                path,
                headers={**shared.staff, "Idempotency-Key": "key", "Content-Type": JSON},
                content=json.dumps(body).encode(),
            )
            assert sorted(pointers(response)) == sorted(expected), body
            assert echoed(response, body) == []


async def test_of_many_wrong_fields_the_first_are_named(shared: Clinic, doctor_id: str) -> None:
    hours = [{"weekday": 8, "starts": "x", "ends": "y"}] * 500
    response = await shared.http.put(
        f"/v1/doctors/{doctor_id}/schedule",
        headers={**shared.staff, "Idempotency-Key": "key"},
        json={"hours": hours},
    )
    assert len(pointers(response)) <= ERRORS_MAX
    assert len(response.content) < 4_000


async def test_a_query_names_the_wrong_parameter(shared: Clinic, doctor_id: str) -> None:
    queries: dict[str, dict[str, list[str]]] = {
        "/v1/doctors": {
            "specialty": ["", "a\0b", "x" * 201, "a\nb"],
            "limit": ["0", "201", "-1", "x", "", "1.5", "9" * 30, "9" * 5_000],
        },
        f"/v1/doctors/{doctor_id}/availability": {
            "from": [
                "today",
                "",
                "2026-02-30",
                "2026-12-01T00:00:00Z",
                "1796112000",
                "0001-01-01",
                "9999-12-31",
                "\0",
            ],
            "to": ["tomorrow", "2026-02-30", "+2026-12-01"],
            "visit_type": ["Check-Up", "", "\0", "x" * 41],
        },
        "/v1/appointments": {
            "status": ["open", "", "BOOKED", "\0"],
            "from": [
                "2026-02-30",
                "1796112000",
                "2026-12-01T09:00:00",
                "2026-02-30T00:00:00Z",
                "0001-01-01T00:00:00Z",
            ],
            "to": ["2026-12", "9999-12-31T23:59:59-14:00", "", "\0"],
            "doctor_id": ["x", "", doctor_id[:-1], f"{{{doctor_id}}}", "\0"],
            "patient_id": ["x", "4711"],
            "limit": ["0", "201"],
        },
        "/v1/commands/x": {"wait": ["-1", "x", "", "1.5"]},
    }
    for path, parameters in queries.items():
        for name, values in parameters.items():
            for value in values:
                response = await shared.http.get(f"{path}?{name}={quote(value)}", headers=shared.staff)
                assert pointers(response) == [f"/{name}"], (path, name, value)
                assert echoed(response, [value]) == []
    assert pointers(await shared.http.get("/v1/appointments?status=x&doctor_id=x", headers=shared.staff)) == [
        "/status",
        "/doctor_id",
    ]


async def test_thousands_of_unknown_fields_make_one_short_answer(shared: Clinic, patient: Patient) -> None:
    many = {f"unknown-{number}": number for number in range(3_000)}
    response = await post_booking(shared, patient.headers, json.dumps(BOOKING | many).encode())
    assert len(pointers(response)) == ERRORS_MAX
    assert "3000 fields are not valid" in response.json()["detail"]
