"""What an operator's probes ask, and what clients see while Postgres is away."""

import asyncpg

from tests.clinic import Clinic
from tests.http.asking import booking, problem


async def test_a_running_ingress_is_live_and_ready(clinic: Clinic) -> None:
    live = await clinic.http.get("/health/live")
    ready = await clinic.http.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "parts": {"postgres": "up", "kafka": "up", "redis": "up"}},
    )


async def test_without_postgres_it_is_live_but_not_ready_and_asks_to_try_again(clinic: Clinic) -> None:
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    body = booking(doctor_id, (await clinic.slots(doctor_id))[0])

    await postgres_admits(clinic, 0)
    live = await clinic.http.get("/health/live")
    ready = await clinic.http.get("/health/ready")
    read = await clinic.http.get("/v1/doctors")
    write = await clinic.send("POST", "/v1/appointments", patient.headers, body, key="again")

    assert live.status_code == 200
    assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
    assert ready.json()["parts"] | {"postgres": "down"} == ready.json()["parts"]
    for response in (read, write):
        assert problem(response, 503, "store_unavailable") == []
        assert response.headers["retry-after"] == "1"

    await postgres_admits(clinic, -1)
    assert (await clinic.http.get("/health/ready")).status_code == 200
    again = await clinic.send("POST", "/v1/appointments", patient.headers, body, key="again")
    assert again.json()["state"] == "confirmed"


async def postgres_admits(clinic: Clinic, connections: int) -> None:
    """Limit the connections to the clinic's database (-1: no limit) and end those of the ingress."""
    dsn = clinic.settings.postgres_dsn.get_secret_value()
    owner = await asyncpg.connect(dsn)
    try:
        name = dsn.rpartition("/")[2]
        await owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT {connections}")
        await owner.execute(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = $1 AND application_name = $2
            """,
            *(name, clinic.settings.instance or "ingress"),
        )
    finally:
        await owner.close()
