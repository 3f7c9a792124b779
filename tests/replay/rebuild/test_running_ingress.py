"""Ingresses that go on while a rebuild replaces what they read."""

from uuid import UUID

from limits import RateLimitItemPerMinute

from infra.postgres import open_pool
from ingress.availability.cache import AvailabilityCache, Query
from ingress.request_limits.budgets import Budget
from ingress.request_limits.turns import Turns
from ops.rebuild.fold_all import fold_all
from tests.replay.conftest import Seeded, copy_of, execute, fetchval, positions

ENDS_AT_S = 2**32
LAST_OFFSETS = """
SELECT array_agg(last ORDER BY partition) FROM (
    SELECT p.partition, coalesce(max((e.data -> 'source' ->> 'offset')::bigint), -1) AS last
    FROM booking.partition_progress p LEFT JOIN booking.events e USING (partition) GROUP BY 1
) AS offsets
"""


async def test_a_position_behind_the_last_event_stays(seeded: Seeded) -> None:
    """Ingresses would refuse a database that seems to be older than what they have seen."""
    async with copy_of(seeded.settings) as book:
        before = await positions(book)
        last = await fetchval(book, LAST_OFFSETS)
        assert any(position.next_offset > last[number] + 1 for number, position in before.items())
        await fold_all(book)
        assert await positions(book) == before


async def test_free_slots_of_a_bent_book_are_not_remembered(seeded: Seeded) -> None:
    doctor: UUID = await fetchval(
        seeded.settings,
        # Time off or a short notice may hide the time of a single one.
        "SELECT doctor_id FROM booking.appointments WHERE status = 'booked'"
        " AND starts_at BETWEEN now() + interval '1 day' AND now() + interval '12 days'"
        " GROUP BY doctor_id ORDER BY count(*) DESC LIMIT 1",
    )
    query = Query(doctor, None, None, None)
    budget = Budget(RateLimitItemPerMinute(10**6, namespace="test"), "test", ENDS_AT_S, set())
    async with copy_of(seeded.settings) as book:
        await execute(book, "UPDATE booking.appointments SET status = 'no_show' WHERE status = 'booked'")
        pool = await open_pool(book.ingress_dsn, "reader", connections_max=2)
        try:
            running, fresh = [AvailabilityCache(pool, 10**6, Turns()) for _ in range(2)]
            bent = await running.answer(query, budget)
            await fold_all(book)
            after = await running.answer(query, budget)
            assert after.body == (await fresh.answer(query, budget)).body != bent.body
            assert after.calendar_version == bent.calendar_version
        finally:
            await pool.close()
