"""`clinic seed clinic`, with a small quarter."""

import asyncio
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from ops.seed.clinic import seed_clinic
from ops.seed.quarter import Quarter
from ops.tokens import staff_token
from tests.clinic import Clinic

SMALL = Quarter(doctors_count=3, patients_count=150, weeks=2)
COMMANDS = (
    sum(2 + len(doctor.absences) for doctor in SMALL.doctors)
    + len(SMALL.visits)
    + sum(visit.cancelled for visit in SMALL.visits)
)


@pytest.fixture
async def book(clinic: Clinic) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(clinic.settings.postgres_dsn.get_secret_value())
    yield connection
    await connection.close()


async def test_an_interrupted_run_is_continued_and_its_commands_are_those_of_requests(
    clinic: Clinic, book: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def decided() -> int:
        return int(await book.fetchval("SELECT count(*) FROM booking.decisions"))

    monkeypatch.setattr("ops.seed.clinic.SENT_AT_ONCE", 50)
    monkeypatch.setattr("ops.seed.clinic.WAITING_MAX", 100)
    interrupted = asyncio.create_task(seed_clinic(clinic.settings, quarter=SMALL))
    async with asyncio.timeout(60):
        while await decided() < 100:  # noqa: ASYNC110 - the table sets no event
            await asyncio.sleep(0.02)
    interrupted.cancel()
    await asyncio.gather(interrupted, return_exceptions=True)

    said: list[str] = []
    await seed_clinic(clinic.settings, said.append, SMALL)
    assert await decided() == COMMANDS
    assert re.fullmatch(
        rf"3 doctors, 150 patients, 2 weeks from \d{{4}}-\d\d-\d\d; commands: {COMMANDS:,} confirmed "
        r"\(\d+ new at [\d,]+ a second\)",
        said[0],
    ), said[0]
    found = await clinic.http.post("/v1/patients/search", headers=clinic.staff, json={"name": "Hanna Weiss"})
    assert {patient["name"] for patient in found.json()["items"]} == {"Hanna Weiss"}
    rows = await book.fetch("SELECT status, count(*) FROM booking.appointments GROUP BY status")
    cancelled = sum(visit.cancelled for visit in SMALL.visits)
    assert {row["status"]: row["count"] for row in rows} == {
        "booked": len(SMALL.visits) - cancelled,
        "cancelled": cancelled,
    }

    await seed_clinic(clinic.settings, said.append, SMALL)
    assert said[1].endswith(f"commands: {COMMANDS:,} confirmed (0 new)")

    # The commands are those of the same requests over HTTP: the key is known, and the request the same.
    doctor = await book.fetchrow("SELECT id, name, specialty, visit_types FROM booking.doctors LIMIT 1")
    assert doctor is not None
    [number] = [number for number, planned in enumerate(SMALL.doctors) if planned.name == doctor["name"]]
    planned = SMALL.doctors[number]
    body = {
        "name": planned.name,
        "specialty": planned.specialty,
        "visit_types": [
            {"code": code, "name": name, "minutes": minutes} for code, name, minutes, _ in planned.visit_types
        ],
        "policy": {"slot_minutes": 10},
    }
    again = await clinic.http.post(
        "/v1/doctors",
        json=body,
        headers={
            "Authorization": f"Bearer {staff_token(clinic.settings)}",
            "Idempotency-Key": f"clinic-doctor-{number}",
        },
    )
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true"), again.text
    assert again.json()["doctor_id"] == str(doctor["id"])
