"""A connection to Postgres that is lost in the middle of a transaction: clients are told to retry."""

import asyncio

import pytest

from tests.clinic import Clinic
from tests.http.asking import problem
from tests.waiting import until_async

MINE = "/v1/me/calendar-link"
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'
"""


@pytest.mark.parametrize("table", ["booking.doctors", "booking.appointments"])
async def test_a_read_of_one_moment(clinic: Clinic, table: str) -> None:
    path = f"/v1/doctors/{await clinic.doctor()}/calendar"
    await lose(clinic, table, "GET", path, clinic.staff)

    assert (await clinic.http.get(path, headers=clinic.staff)).status_code == 200


async def test_a_write_of_several_rows(clinic: Clinic) -> None:
    headers = (await clinic.patient()).headers
    await lose(clinic, "login.calendar_links", "POST", MINE, headers)

    assert (await clinic.http.get(MINE, headers=headers)).json()["made_at"] is None
    assert (await clinic.http.post(MINE, headers=headers)).status_code == 201


async def lose(clinic: Clinic, table: str, method: str, path: str, headers: dict[str, str]) -> None:
    """Send a request whose transaction waits for the table, and terminate its connection."""

    async def terminated() -> bool:
        return bool(await clinic.postgres.fetchval(TERMINATE, clinic.settings.instance or "ingress"))

    async with clinic.postgres.acquire() as owner, owner.transaction():
        await owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        request = asyncio.ensure_future(clinic.http.request(method, path, headers=headers))
        await until_async(terminated, "the request waits for the table")
    problem(await request, 503, "store_unavailable")
