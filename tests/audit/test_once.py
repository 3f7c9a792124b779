"""The trail has each event once, whatever happens to the auditor and on the topic."""

import asyncio
import random
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.services.events import bookings
from tests.audit.trail import MARCH, PARTITIONS, Trail

KILLS = 6
EVENTS_PER_PARTITION = 400
MISSED = 10_000


def numbered(partition: int, count: int) -> list[tuple[int, int]]:
    """The expected entries of a partition."""
    return [(partition, number) for number in range(1, count + 1)]


async def test_kills_under_load_leave_no_gap_and_no_repeat(trail: Trail, tmp_path: Path) -> None:
    chance = random.Random(7)
    auditor = trail.auditor_process(tmp_path)
    await auditor.start()
    kept = 0
    for turn in range(KILLS):
        first = 1 + turn * EVENTS_PER_PARTITION
        await trail.happen_everywhere(EVENTS_PER_PARTITION, first=first)
        await trail.keeps(kept + 1)
        await asyncio.sleep(chance.uniform(0, 0.05))  # in some later transaction
        await auditor.kill()
        kept = await trail.size()
        await auditor.start()
    total = KILLS * EVENTS_PER_PARTITION
    await trail.keeps(total * PARTITIONS)
    await auditor.stop()

    found = [(partition, number) for partition, number, _ in await trail.hashes()]
    assert found == [entry for partition in range(PARTITIONS) for entry in numbered(partition, total)]
    assert await trail.verified() == total * PARTITIONS


async def test_an_event_published_twice_is_recorded_once(trail: Trail) -> None:
    facts = list(bookings(0, 20, MARCH))
    await trail.facts(facts)
    await trail.facts(facts[10:], first=11)
    await trail.facts(list(bookings(0, 1, MARCH + timedelta(hours=1))), first=21)
    async with trail.auditor():
        await trail.keeps(21, 0)

    assert [(partition, number) for partition, number, _ in await trail.hashes()] == numbered(0, 21)
    await trail.verified()


async def test_a_gap_stops_only_its_partition(trail: Trail) -> None:
    await trail.happen(5)
    await trail.happen(5, first=7)
    await trail.happen(5, partition=3)
    async with trail.auditor():
        await trail.stops(0)
        await trail.keeps(5, 3)
        await trail.happen(5, first=6, partition=3)
        await trail.keeps(10, 3)
    assert await trail.size(0) == 5


async def test_reading_again_from_the_beginning_gives_the_same_hashes(trail: Trail) -> None:
    await trail.happen_everywhere(100)
    async with trail.auditor():
        await trail.keeps(100 * PARTITIONS)
    before = await trail.hashes()
    await trail.forget()
    async with trail.auditor():
        await trail.keeps(100 * PARTITIONS)

    assert await trail.hashes() == before


async def test_ten_thousand_events_behind_it_catches_up(trail: Trail) -> None:
    await trail.happen_everywhere(10)
    async with trail.auditor():
        await trail.keeps(10 * PARTITIONS)
    await trail.happen_everywhere(MISSED // PARTITIONS + 1, first=11)
    begun = time.monotonic()
    async with trail.auditor():
        await trail.keeps(10 * PARTITIONS + MISSED)
        took_s = time.monotonic() - begun
    print(f"caught up on {MISSED} events in {took_s:.1f} s, joining the group included")
    await trail.verified()
