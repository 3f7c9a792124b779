"""Months that are too old are dropped whole; the rest, every older head and every proof still verify."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from auditor.chain.signing import Signer
from auditor.retention import RetentionError, retain
from benchmarks.services.events import bookings
from contracts.audit import Chain
from infra.postgres import open_pool
from ops.audit.heads import read_head_file
from ops.audit.proofs import NoProofError, growth_holds, proof_holds, prove, prove_growth
from tests.audit.trail import MARCH, Trail
from tests.ops.conftest import clinic_command

LONG_AGO = datetime(2018, 1, 31, 23, 59, 30, tzinfo=UTC)
JANUARY, FEBRUARY = 30, 30
RECENT = 20
ALL = JANUARY + FEBRUARY + RECENT
YEARS = 7


@pytest.fixture
async def old(trail: Trail, tmp_path: Path) -> Trail:
    """Thirty entries of January 2018, thirty of February and twenty of this year; a head kept in January."""
    async with trail.auditor(audit_head_entries=10):
        await trail.happen(25, at=LONG_AGO)
        await trail.keeps(25)
        await trail.keep_head(tmp_path / "in-january.json")
        rest = JANUARY + FEBRUARY - 25
        await trail.happen(rest, first=26, at=LONG_AGO + timedelta(seconds=25))
        await trail.happen(RECENT, first=JANUARY + FEBRUARY + 1, at=MARCH)
        await trail.keeps(ALL)
    return trail


async def dropped(trail: Trail, years: int = YEARS) -> list[tuple[str, int]]:
    """The months that retention drops, with their entries."""
    signer = Signer.load(trail.settings.audit_key_file)
    async with await open_pool(trail.settings.auditor_dsn, "retention", connections_max=1) as pool:
        return [(f"{month:%Y-%m}", entries) for month, entries in await retain(pool, signer, years)]


async def test_old_months_are_dropped_and_everything_signed_still_verifies(
    old: Trail, tmp_path: Path
) -> None:
    assert await dropped(old, years=20) == []
    assert await dropped(old) == [("2018-01", JANUARY), ("2018-02", FEBRUARY)]

    assert [number for _, number, _ in await old.hashes()] == list(range(JANUARY + FEBRUARY + 1, ALL + 1))
    [report] = await old.reports(tmp_path / "in-january.json")
    assert (report.entries, report.dropped, report.finding) == (RECENT, JANUARY + FEBRUARY, None)
    assert report.heads >= ALL // 10
    assert proof_holds(await prove(old.settings, Chain.BOOKING, 0, ALL - 3))
    assert proof_holds(await prove(old.settings, Chain.BOOKING, 0, JANUARY + FEBRUARY + 1))
    [growth] = (await prove_growth(old.settings, read_head_file(tmp_path / "in-january.json"))).proofs
    assert growth_holds(growth)
    with pytest.raises(NoProofError, match="Entry 25 of booking/0 was dropped"):
        await prove(old.settings, Chain.BOOKING, 0, 25)
    assert await dropped(old) == []


async def test_a_clock_set_back_at_the_turn_of_a_month(trail: Trail) -> None:
    facts = list(bookings(0, 60, LONG_AGO))
    mixed = [facts[(number + 15) % 60 if number % 2 else number] for number in range(60)]
    async with trail.auditor():
        await trail.facts(mixed)
        await trail.happen(5, first=61)
        await trail.keeps(65)
    assert await trail.postgres.fetchval("SELECT count(*) FROM audit.stubs") == 0

    assert sum(entries for _, entries in await dropped(trail)) == 60

    [report] = await trail.reports()
    assert (report.entries, report.dropped, report.finding) == (5, 60, None)
    assert await trail.postgres.fetchval("SELECT count(*) FROM audit.stubs") > 2


async def test_a_late_entry_of_a_dropped_month(old: Trail) -> None:
    async with old.auditor(audit_retention_years=20):
        await old.happen(1, first=ALL + 1)
        await old.keeps(ALL + 1)
        assert len(await dropped(old)) == 2

        await old.happen(1, first=ALL + 2, at=LONG_AGO)
        await old.happen(1, first=ALL + 3)
        await old.keeps(ALL + 3)

    assert await dropped(old) == [("2018-01", 1)]
    [report] = await old.reports()
    assert (report.entries, report.dropped) == (RECENT + 2, JANUARY + FEBRUARY + 1)
    assert report.finding is None


async def test_a_month_that_does_not_verify_is_kept(old: Trail) -> None:
    await old.tamper("UPDATE audit.entries SET action = 'PatientRead' WHERE number = 45")

    with pytest.raises(RetentionError, match="Entry 45 of booking/0"):
        await dropped(old)

    assert [number for _, number, _ in await old.hashes()] == list(range(JANUARY + 1, ALL + 1))
    assert (await old.finding())[0] == 45


async def test_nothing_younger_than_the_owner_allows_whatever_the_auditors_settings(old: Trail) -> None:
    await old.tamper("UPDATE audit.retention SET years = 20")

    assert await dropped(old) == []


async def test_nothing_waits_behind_a_month_that_is_being_read(old: Trail) -> None:
    async with old.postgres.acquire() as reader, reader.transaction():
        await reader.execute("SELECT FROM audit.entries")
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with asyncio.timeout(3):
                await dropped(old)
        assert clinic_command(old.settings, "audit", "retain").stderr == (
            "Other transactions hold the rows: try again later.\n"
        )

    assert len(await dropped(old)) == 2


async def test_two_auditors_drop_each_month_once(old: Trail) -> None:
    both = await asyncio.gather(dropped(old), dropped(old))

    assert sorted(both[0] + both[1]) == [("2018-01", JANUARY), ("2018-02", FEBRUARY)]
    assert (await old.reports())[0].finding is None


async def test_a_month_dropped_meanwhile_is_skipped(old: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    async def seen(_: asyncpg.Pool) -> list[date]:
        return [date(2018, 1, 1), date(2018, 2, 1)]

    await dropped(old)
    monkeypatch.setattr("auditor.retention._months", seen)

    assert await dropped(old) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            "UPDATE audit.stubs SET hashes = decode(repeat('00', octet_length(hashes)), 'hex')",
            "no trusted key",
        ),
        ("UPDATE audit.stubs SET month = '2018-03-01'", "no trusted key"),
        ("DELETE FROM audit.stubs", "entry 1 is missing"),
    ],
)
async def test_the_remains_of_a_month_are_protected(old: Trail, change: str, finding: str) -> None:
    await dropped(old)
    await old.tamper(change)

    number, found = await old.finding()

    assert (number, finding in found) == (1, True)
