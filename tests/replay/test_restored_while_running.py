"""Postgres comes back some transactions older while the services run: nothing that was told is taken back."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx

from infra.settings import Settings
from tests.clinic import Clinic
from tests.delivery.ledger import check, settle
from tests.http.asking import booked, get, reschedule
from tests.waiting import until_async

UNTIL_S = 30.0


@contextlib.asynccontextmanager
async def closed(settings: Settings) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    """The clinic's database with nobody connected to it: a connection beside it, and its name."""
    server, _, name = settings.postgres_dsn.get_secret_value().rpartition("/")
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield connection, name
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    finally:
        await connection.close()


async def states(clinic: Clinic, receipts: dict[str, dict[str, str]]) -> set[str]:
    """What receipts say now; a problem code where the answer is 503."""
    answers = [await clinic.http.get(path, headers=headers) for path, headers in receipts.items()]
    return {answer.json().get("state") or answer.json()["code"] for answer in answers}


async def test_nothing_that_was_told_is_taken_back(clinic: Clinic) -> None:
    first, second = await clinic.doctor(), await clinic.doctor()
    free, patient, other = await clinic.slots(second), await clinic.patient(), await clinic.patient()
    kept = await booked(clinic, patient.headers, first, free[0])
    await settle(clinic)
    async with closed(clinic.settings) as (connection, name):
        await connection.execute(f"CREATE DATABASE {name}_older TEMPLATE {name}")

    receipts: dict[str, dict[str, str]] = {}

    async def confirmed(path: str, headers: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        resource: dict[str, Any] = {}

        async def is_confirmed() -> bool:
            answer = await clinic.send("POST", path, headers, body, key=path.replace("/", "-"))
            resource.update(answer.json())
            return answer.status_code == httpx.codes.OK and resource["state"] == "confirmed"

        await until_async(is_confirmed, "it is confirmed", UNTIL_S)
        receipts[resource["links"]["self"]] = headers
        return resource

    lost = {"doctor_id": first, "starts_at": free[2], "visit_type": "checkup"}
    made = await confirmed("/v1/appointments", patient.headers, lost)
    moved = made["links"]["appointment"]
    await confirmed(f"{moved}/reschedule", patient.headers, {"doctor_id": second, "starts_at": free[4]})
    await settle(clinic)

    async with closed(clinic.settings) as (connection, name):
        await connection.execute(f"ALTER DATABASE {name} RENAME TO {name}_gone")
        await connection.execute(f"ALTER DATABASE {name}_older RENAME TO {name}")
    seen: set[str] = set()

    async def all_confirmed() -> bool:
        now = await states(clinic, receipts)
        seen.update(now)
        return now == {"confirmed"}

    await until_async(all_confirmed, "the receipts say confirmed again", UNTIL_S)
    assert seen <= {"confirmed", "store_unavailable"}, "a status went backwards"

    body = {"doctor_id": second, "starts_at": free[4], "visit_type": "checkup"}
    assert await clinic.refused("POST", "/v1/appointments", other.headers, body) == "slot_taken"
    appointment = await get(clinic.http, moved, patient.headers)
    assert (appointment["doctor_id"], appointment["starts_at"]) == (second, free[4])
    await reschedule(clinic, kept, patient.headers, free[6], doctor_id=second)
    await settle(clinic)
    await check(clinic)
