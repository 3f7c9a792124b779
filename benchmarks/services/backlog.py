"""A worker over a backlog, beside the bare ceiling: how fast it could be if it only wrote its rows."""

from collections.abc import Callable
from pathlib import Path

import asyncpg

from benchmarks.report import Figure, Ratio, at_least, at_most
from benchmarks.services import rebuild
from benchmarks.services.ceiling import read_back, write_again
from benchmarks.services.commands import append_backlog
from benchmarks.services.worker import NAME, WorkerRun, work_off
from benchmarks.stack.scratch import scratch_database, scratch_topics
from infra import clock
from infra.settings import Settings
from ops.load.cpu import CpuMeter

COMMANDS = 50_000
CEILING_COMMANDS_MAX = 200_000  # its rows are held in memory
CEILING_SHARE_MIN = 0.6
MEMORY_MB_MAX = 300


async def measure(
    settings: Settings, data_dir: Path, say: Callable[[str], None], commands: int = COMMANDS
) -> list[Figure]:
    """A worker over so many bookings, then the same rows without it; on a database and topics of their own.

    Raises:
        ClinicError: the worker did not work them off.
    """
    run = f"bench_{clock.new_id().hex[:8]}"
    async with (
        scratch_topics(settings, f"{run}-") as scratch,
        scratch_database(scratch, run) as scratch,
    ):
        say(f"appending {commands:,} commands …")
        scratch = scratch.model_copy(update={"instance": f"{run}-worker"})
        ends = await append_backlog(scratch, commands)
        say("the worker over them …")
        worked = await work_off(scratch, data_dir, ends)
        dsn = scratch.postgres_dsn.get_secret_value()
        unexpected = await _not_confirmed(dsn)
        # By their transactions, so before all of them are copied.
        written = await read_back(dsn) if commands <= CEILING_COMMANDS_MAX else None
        say("the book anew from its events …")
        rebuilt = await rebuild.measure(scratch, data_dir, _section(commands), commands / worked.decided_s)
    if written is None:
        return [_worker(commands, worked, unexpected), rebuilt]
    async with scratch_database(settings, f"{run}_ceiling") as scratch:
        say("the same rows without it …")
        meter = CpuMeter(data_dir)
        ceiling_s = await write_again(scratch.postgres_dsn.get_secret_value(), written)
        cpu = meter.percent()
    ceiling = {"per_s": commands / ceiling_s, "decided_after_s": ceiling_s}
    return [
        _worker(commands, worked, unexpected, ceiling_s),
        Figure(_section(commands), "bare ceiling: its rows, by unnest", ceiling, cpu),
        rebuilt,
    ]


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


def _section(commands: int) -> str:
    return f"Worker over a backlog of {commands:,} commands"


def _worker(
    commands: int, worked: WorkerRun, unexpected: dict[str, int], ceiling_s: float | None = None
) -> Figure:
    values = {
        "per_s": commands / worked.decided_s,
        **({"of_ceiling": ceiling_s / worked.decided_s} if ceiling_s else {}),
        "decided_after_s": worked.decided_s,
        "published_after_s": worked.published_s,
        "transactions": worked.transactions,
        "transaction_s_max": worked.transaction_s_max,
        "rss_mb_max": worked.memory_mb_max,
    }
    goals = [at_most(values, "transaction_s_max", 1), at_most(values, "rss_mb_max", MEMORY_MB_MAX)]
    if ceiling_s:
        goals.append(at_least(values, "of_ceiling", CEILING_SHARE_MIN))
    ratios = (Ratio("worker over a backlog / its rows, bare", values["of_ceiling"]),) if ceiling_s else ()
    return Figure(_section(commands), NAME, values, worked.cpu_percent, unexpected, tuple(goals), ratios)
