"""`recorded_at` is not hashed: it must not precede the entry before, and must lie between the heads."""

from datetime import timedelta
from pathlib import Path

import pytest

from infra import clock
from tests.audit.trail import Trail

ENTRIES = 50


async def test_an_entry_recorded_before_its_predecessor(kept: Trail) -> None:
    await kept.tamper("UPDATE audit.entries SET recorded_at = '1999-01-01' WHERE number = 17")

    assert await kept.finding() == (
        17,
        "entry 17 claims to be recorded before the entry or head that precedes it",
    )


@pytest.mark.parametrize("table", ["entries SET recorded_at", "heads SET signed_at", "chains SET signed_at"])
async def test_an_invalid_time(kept: Trail, table: str) -> None:
    await kept.tamper(f"UPDATE audit.{table} = 'infinity'")

    assert (await kept.finding())[1]


async def test_all_entries_of_a_head_recorded_after_it(kept: Trail) -> None:
    await kept.tamper("UPDATE audit.entries SET recorded_at = recorded_at + interval '1 hour'")

    number, finding = await kept.finding()

    assert (number, "entry 20 claims to be recorded after the head of 20" in finding) == (20, True)


async def test_a_tail_recorded_after_the_chains_end(kept: Trail) -> None:
    await kept.tamper(
        "DELETE FROM audit.heads WHERE size > 40",
        "UPDATE audit.entries SET recorded_at = recorded_at + interval '1 hour' WHERE number > 45",
    )

    assert await kept.finding() == (
        ENTRIES,
        f"entry {ENTRIES} claims to be recorded after the chain's end was signed",
    )


async def test_a_clock_set_back_does_not_move_recorded_times_back(
    kept: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() - timedelta(days=1))
    await kept.happen(30, first=ENTRIES + 1)
    async with kept.auditor(audit_head_interval_s=0.1, audit_head_entries=20):
        await kept.keeps(ENTRIES + 30)

    assert await kept.verified() == ENTRIES + 30


async def test_a_trail_recorded_again_fits_an_earlier_head(trail: Trail, tmp_path: Path) -> None:
    await trail.kept(20)
    head = await trail.keep_head(tmp_path / "head.json")
    await trail.forget()
    async with trail.auditor():
        await trail.keeps(20)

    assert await trail.verified(head) == 20
