"""Ingresses that go on while a rebuild replaces what they read."""

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
    doctors = await fetchval(seeded.settings, "SELECT array_agg(id) FROM booking.doctors WHERE active")
    queries = [Query(doctor, None, None, None) for doctor in doctors]
    budget = Budget(RateLimitItemPerMinute(10**6, namespace="test"), "test", ENDS_AT_S, set())
    async with copy_of(seeded.settings) as book:
        await execute(book, "UPDATE booking.appointments SET status = 'no_show' WHERE status = 'booked'")
        pool = await open_pool(book.ingress_dsn, "reader", connections_max=2)
        try:
            running, fresh = [AvailabilityCache(pool, 10**6, Turns()) for _ in range(2)]
            bent = [await running.answer(query, budget) for query in queries]
            await fold_all(book)
            after = [await running.answer(query, budget) for query in queries]
            expected = [await fresh.answer(query, budget) for query in queries]
        finally:
            await pool.close()
    bodies = [answer.body for answer in after]
    assert bodies == [answer.body for answer in expected]
    # Some doctor's visits are of the past, or in time off.
    assert bodies != [answer.body for answer in bent]
    versions = [answer.calendar_version for answer in after]
    assert versions == [answer.calendar_version for answer in bent]
