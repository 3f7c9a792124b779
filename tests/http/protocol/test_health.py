"""The endpoints for an operator's probes, and what clients see while Postgres is down."""

import asyncio

import asyncpg

from ingress.main import CONNECTIONS_MAX
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import booking, problem


async def test_a_running_ingress_is_live_and_ready(clinic: Clinic) -> None:
    live = await clinic.http.get("/health/live")
    ready = await clinic.http.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "parts": {"postgres": "up", "kafka": "up", "redis": "up"}},
    )


async def test_in_production_mode_neither_metrics_nor_documentation_are_on_its_port(clinic: Clinic) -> None:
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}", "production": True}
    async with ingress(clinic.settings.model_copy(update=update)) as http:
        for path in ("/metrics", "/docs", "/docs/assets/swagger-ui.css"):
            assert (await clinic.http.get(path)).status_code == 200
            problem(await http.get(path), 404, "not_found")
        assert (await http.get("/openapi.json")).status_code == 200


async def test_without_postgres_it_is_live_but_not_ready_and_tells_clients_to_retry(clinic: Clinic) -> None:
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
            name,
            clinic.settings.instance or "ingress",
        )
    finally:
        await owner.close()


async def test_a_locked_table_costs_its_readers_a_second_and_nobody_else(clinic: Clinic) -> None:
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    readers = 2 * CONNECTIONS_MAX
    async with clinic.postgres.acquire() as owner, owner.transaction():
        await owner.execute("LOCK TABLE booking.appointments IN ACCESS EXCLUSIVE MODE")
        reads = [clinic.http.get("/v1/appointments", headers=patient.headers) for _ in range(readers)]
        refused, doctor = await asyncio.gather(
            asyncio.gather(*reads), clinic.http.get(f"/v1/doctors/{doctor_id}")
        )

    assert [problem(response, 503, "store_unavailable") for response in refused] == [[]] * readers
    assert doctor.status_code == 200
    assert (await clinic.http.get("/v1/appointments", headers=patient.headers)).status_code == 200
