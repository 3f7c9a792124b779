"""The worker's statements against the schema: the rows it writes, and the plans of its queries."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from booking_worker.decide.load_plan import WantedTime
from booking_worker.store.store import SESSION, NewPosition, statements
from infra.settings import Settings
from storage.rows import (
    APPOINTMENT_COLUMNS,
    APPOINTMENT_TYPE,
    DECISION_COLUMNS,
    DOCTOR_COLUMNS,
    TIME_OFF_COLUMNS,
    EventRow,
)
from tests.clinic import database

ROWS_OF_TYPES = {
    APPOINTMENT_TYPE: APPOINTMENT_COLUMNS,
    "booking.decision_row": DECISION_COLUMNS,
    "booking.event_row": EventRow._fields,
    "booking.doctor_row": DOCTOR_COLUMNS,
    "booking.time_off_row": TIME_OFF_COLUMNS,
    "booking.position_row": NewPosition._fields,
    "booking.wanted_time": WantedTime._fields,
}
APPOINTMENTS = 30_000


@pytest.fixture
async def worker(settings: Settings, template: str) -> AsyncIterator[asyncpg.Connection]:
    async with database(settings, template) as own:
        connection = await asyncpg.connect(own.worker_dsn, server_settings=SESSION)
        yield connection
        await connection.close()


@pytest.fixture
async def owner(settings: Settings, template: str) -> AsyncIterator[asyncpg.Connection]:
    async with database(settings, template) as own:
        connection = await asyncpg.connect(own.postgres_dsn.get_secret_value(), server_settings=SESSION)
        yield connection
        await connection.close()


@pytest.mark.parametrize("type_", ROWS_OF_TYPES)
async def test_a_row_has_the_attributes_of_its_type_in_order(worker: asyncpg.Connection, type_: str) -> None:
    rows = await worker.fetch(
        "SELECT quote_ident(a.attname) AS name FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid"
        " WHERE t.oid = $1::text::regtype AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        type_,
    )

    assert tuple(row["name"] for row in rows) == tuple(ROWS_OF_TYPES[type_])


PARAMETERS = {"fence_and_load": 6, "lock_booked_within": 2}


async def plan(connection: asyncpg.Connection, name: str) -> str:
    """The plan of a prepared statement, planned again after `ANALYZE`."""
    nulls = ", ".join(["NULL"] * PARAMETERS[name])
    rows = await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE {name}({nulls})")
    return "\n".join(row[0] for row in rows)


async def test_appointments_are_looked_up_by_the_same_index_however_many_there_are(
    owner: asyncpg.Connection,
) -> None:
    for name in PARAMETERS:
        await owner.execute(f"PREPARE {name} AS {statements[name]}")
    empty = [await plan(owner, name) for name in PARAMETERS]
    await owner.execute(
        f"""
        INSERT INTO booking.appointments
            (id, doctor_id, patient_id, visit_type, starts_at, ends_at, occupied, status, version, booked_at)
        SELECT gen_random_uuid(), md5((n % 100)::text)::uuid, md5((n % 20000)::text)::uuid, 'checkup',
            t.starts_at, t.starts_at + interval '30 min',
            tstzrange(t.starts_at, t.starts_at + interval '30 min'),
            CASE WHEN n % 10 = 0 THEN 'no_show' ELSE 'booked' END, 1, now()
        FROM generate_series(1, {APPOINTMENTS}) AS n
        CROSS JOIN LATERAL (SELECT timestamptz '2030-01-01' + n / 100 * interval '30 min') AS t (starts_at)
        """
    )
    await owner.execute("ANALYZE booking.appointments")
    full = [await plan(owner, name) for name in PARAMETERS]

    for fence_and_load, lock_booked_within in (empty, full):
        assert "Index Scan Backward using appointments_by_doctor" in fence_and_load
        assert "Index Scan using appointments_by_patient" in fence_and_load
        assert "Index Scan using appointments_by_doctor" in lock_booked_within
        for text in (fence_and_load, lock_booked_within):
            assert "slot_taken" not in text
            assert "patient_busy" not in text
