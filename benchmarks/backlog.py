"""A worker over a backlog, beside the bare ceiling: how fast it could be if it only wrote its rows."""

from collections.abc import Callable
from pathlib import Path

import asyncpg

from benchmarks.ceiling import Written, read_back, write_again
from benchmarks.commands import append_backlog
from benchmarks.cpu import CpuMeter
from benchmarks.report import Figure, at_least
from benchmarks.scratch import scratch_database, scratch_topics
from benchmarks.worker import NAME, WorkerRun, work_off
from infra import clock
from infra.settings import Settings

COMMANDS = 50_000
CEILING_SHARE_MIN = 0.6


async def measure(settings: Settings, data_dir: Path, say: Callable[[str], None]) -> list[Figure]:
    """A worker over 50,000 bookings, then the same rows without it; on a database and topics of their own.

    Raises:
        ClinicError: the worker did not work them off.
    """
    run = f"bench_{clock.new_id().hex[:8]}"
    async with (
        scratch_topics(settings, f"{run}-") as there,
        scratch_database(there, run) as there,
    ):
        say(f"appending {COMMANDS:,} commands …")
        there = there.model_copy(update={"instance": f"{run}-worker"})
        ends = await append_backlog(there, COMMANDS)
        say("the worker over them …")
        worked = await work_off(there, data_dir, ends)
        dsn = there.postgres_dsn.get_secret_value()
        unexpected = await _not_confirmed(dsn)
        written = await read_back(dsn)
    async with scratch_database(settings, f"{run}_ceiling") as there:
        say("the same rows without it …")
        meter = CpuMeter(data_dir)
        ceiling_s = await write_again(there.postgres_dsn.get_secret_value(), written)
        cpu = meter.percent()
    return _figures(written, worked, unexpected, ceiling_s, cpu)


async def _not_confirmed(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT concat_ws(' ', state, reason) AS what, count(*) FROM booking.decisions "
            "WHERE state <> 'confirmed' GROUP BY 1"
        )
    finally:
        await connection.close()
    return {row["what"]: row["count"] for row in rows}


def _figures(
    written: Written,
    worked: WorkerRun,
    unexpected: dict[str, int],
    ceiling_s: float,
    ceiling_cpu: dict[str, float],
) -> list[Figure]:
    section = f"Worker over a backlog of {COMMANDS:,} commands"
    worker = {
        "per_s": written.commands / worked.decided_s,
        "of_ceiling": ceiling_s / worked.decided_s,
        "decided_after_s": worked.decided_s,
        "published_after_s": worked.published_s,
        "transactions": float(written.transactions),
        "rss_mb_max": worked.memory_mb_max,
    }
    ceiling = {"per_s": written.commands / ceiling_s, "decided_after_s": ceiling_s}
    return [
        Figure(
            section,
            NAME,
            worker,
            worked.cpu_percent,
            unexpected,
            (at_least(worker, "of_ceiling", CEILING_SHARE_MIN),),
        ),
        Figure(section, "bare ceiling: its rows, by unnest", ceiling, ceiling_cpu),
    ]
