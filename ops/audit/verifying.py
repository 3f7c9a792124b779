"""`clinic audit verify`: every chain walked, side by side on the machine's cores."""

import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from auditor.signing import TrustedKeys
from auditor.verify import Report, verify_chain
from contracts.audit import CHAINED, Chain, SignedHead
from infra.errors import ClinicError
from infra.kafka import topic_name
from infra.settings import Settings
from ops.audit.connection import trail
from ops.audit.heads import read_head_file, trusted_keys

# Fewer are walked here sooner than another process starts.
ENTRIES_ALONE_MAX = 50_000


class NothingThereError(ClinicError):
    """What was asked for is not in the trail."""


@dataclass(frozen=True)
class Task:
    """One chain to walk, and the heads of it that were kept elsewhere."""

    chain: Chain
    partition: int
    kept: tuple[SignedHead, ...]


@dataclass(frozen=True)
class Asked:
    """What to verify, None for all, and what to hold it against: `clinic audit head` files, public keys."""

    chain: str | None = None
    partition: int | None = None
    head_files: Sequence[Path] = ()
    key_files: Sequence[Path] = ()


def verify(settings: Settings, asked: Asked, as_json: bool) -> bool:
    """Print what was checked and found. Returns whether all fits. Raises what `walk` does."""
    begun = time.monotonic()
    reports = walk(settings, asked)
    (_print_json if as_json else _print_table)(reports, time.monotonic() - begun)
    return all(report.finding is None for report in reports)


def walk(settings: Settings, asked: Asked) -> list[Report]:
    """Check the chains.

    Raises:
        NothingThereError: the partition that is asked for has no entries.
        ClinicError: Postgres is away, or a file does not hold what it should.
    """
    keys = trusted_keys(settings, asked.key_files)
    kept = [head for path in asked.head_files for head in read_head_file(path).heads]
    entries, tasks = asyncio.run(_tasks(settings, kept))
    tasks = [
        task
        for task in tasks
        if asked.chain in (None, task.chain) and asked.partition in (None, task.partition)
    ]
    if asked.partition is not None and not tasks:
        raise NothingThereError(f"The trail has nothing of {asked.chain or 'any'}/{asked.partition}.")
    return _walk(settings, keys, tasks, os.cpu_count() or 1 if entries > ENTRIES_ALONE_MAX else 1)


async def _tasks(settings: Settings, kept: Sequence[SignedHead]) -> tuple[int, list[Task]]:
    # Every chain that is mentioned anywhere, so that none can be made to vanish whole. The entries' own
    # chains are found by jumping from one to the next in the index.
    async with trail(settings) as pool:
        rows = await pool.fetch(
            """
            WITH RECURSIVE jumps AS (
                (SELECT chain, partition FROM audit.entries ORDER BY chain, partition LIMIT 1)
                UNION ALL
                SELECT next.* FROM jumps, LATERAL (
                    SELECT e.chain, e.partition FROM audit.entries e
                    WHERE (e.chain, e.partition) > (jumps.chain, jumps.partition)
                    ORDER BY e.chain, e.partition LIMIT 1
                ) AS next
            )
            SELECT chain, partition FROM jumps
            UNION SELECT chain, partition FROM audit.chains
            UNION SELECT chain, partition FROM audit.heads
            UNION SELECT chain, partition FROM audit.stubs
            UNION SELECT t.chain, p.partition
                FROM audit.progress p JOIN unnest($1::text[], $2::text[]) AS t (chain, topic) USING (topic)
                WHERE p.last_sequence > 0
            """,
            list(CHAINED),
            [topic_name(settings, topic) for topic in CHAINED.values()],
        )
        entries = await pool.fetchval("SELECT coalesce(sum(size), 0)::bigint FROM audit.chains")
    found = {(Chain(row["chain"]), row["partition"]) for row in rows}
    found |= {(head.chain, head.partition) for head in kept}
    return entries, [
        Task(*one, tuple(head for head in kept if (head.chain, head.partition) == one))
        for one in sorted(found)
    ]


def _walk(settings: Settings, keys: TrustedKeys, tasks: Sequence[Task], processes: int) -> list[Report]:
    walk = partial(_walk_here, settings, keys.public_keys)
    if processes == 1:
        return walk(tasks)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        return [report for [report] in pool.map(walk, ([task] for task in tasks))]


def _walk_here(settings: Settings, public_keys: Sequence[bytes], tasks: Sequence[Task]) -> list[Report]:
    keys = TrustedKeys(public_keys)

    async def walk() -> list[Report]:
        async with trail(settings) as pool, pool.acquire() as connection:
            return [
                await verify_chain(
                    *(connection, task.chain, task.partition),
                    *(topic_name(settings, CHAINED[task.chain]), keys, task.kept),
                )
                for task in tasks
            ]

    return asyncio.run(walk())


def _print_json(reports: Sequence[Report], seconds: float) -> None:
    entries = sum(report.entries for report in reports)
    summary = {
        "entries": entries,
        "findings": sum(report.finding is not None for report in reports),
        "seconds": round(seconds, 3),
        "entries_per_s": round(entries / seconds),
        "chains": [asdict(report) for report in reports],
    }
    print(json.dumps(summary, indent=2))


def _print_table(reports: Sequence[Report], seconds: float) -> None:
    table = Table("chain", "entries", "dropped", "heads", "", box=None, pad_edge=False)
    for report in reports:
        state = f"[red]{report.finding}[/]" if report.finding else "[green]fits[/]"
        figures = (f"{number:,}" for number in (report.entries, report.dropped, report.heads))
        table.add_row(f"{report.chain}/{report.partition}", *figures, state)
    console = Console(highlight=False)
    console.print(table)
    entries = sum(report.entries for report in reports)
    console.print(f"{entries:,} entries in {seconds:.1f} s, {entries / seconds:,.0f} per second")
