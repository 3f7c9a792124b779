"""`clinic audit verify`: verifies the chains in parallel on all cores."""

import asyncio
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.text import Text

from auditor.chain.signing import TrustedKeys
from auditor.verify import ChainReport, verify_chain
from contracts.audit import CHAINED, Chain, SignedHead
from infra import clock
from infra.errors import ClinicError
from infra.kafka.connection import topic_name
from infra.settings import Settings
from ops.audit.heads import read_head_file, trusted_keys
from ops.connections import database
from ops.console import console, table

# Fewer entries are verified faster than another process starts.
ENTRIES_ALONE_MAX = 50_000


class NothingThereError(ClinicError):
    """The trail lacks the requested chain."""


@dataclass(frozen=True)
class Task:
    """A chain to verify, and its heads that were kept elsewhere."""

    chain: Chain
    partition: int
    kept: tuple[SignedHead, ...]


@dataclass(frozen=True)
class Asked:
    """The chains to verify (None: all), and files of `clinic audit head` and public keys to check against."""

    chain: str | None = None
    partition: int | None = None
    head_files: Sequence[Path] = ()
    key_files: Sequence[Path] = ()


def verify(settings: Settings, asked: Asked, as_json: bool) -> bool:
    """Print the results. Returns True if everything verifies. Raises what `walk` raises."""
    begun = clock.monotonic()
    reports = walk(settings, asked)
    (_print_json if as_json else _print_table)(reports, clock.monotonic() - begun)
    return all(report.finding is None for report in reports)


def walk(settings: Settings, asked: Asked) -> list[ChainReport]:
    """Verify the chains.

    Raises:
        NothingThereError: the requested partition has no entries.
        ClinicError: Postgres is unavailable, or a file has the wrong content.
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
    # Every chain that any table mentions, so that the removal of a whole chain is detected. Those of the
    # entries are found by skipping from one to the next in the index.
    async with database(settings.auditor_dsn, "clinic-audit") as pool:
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
        Task(*chain, tuple(head for head in kept if (head.chain, head.partition) == chain))
        for chain in sorted(found)
    ]


def _walk(settings: Settings, keys: TrustedKeys, tasks: Sequence[Task], processes: int) -> list[ChainReport]:
    walk = partial(_walk_here, settings, keys.public_keys)
    if processes == 1:
        return walk(tasks)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        return [report for [report] in pool.map(walk, ([task] for task in tasks))]


def _walk_here(settings: Settings, public_keys: Sequence[bytes], tasks: Sequence[Task]) -> list[ChainReport]:
    keys = TrustedKeys(public_keys)

    async def walk() -> list[ChainReport]:
        async with database(settings.auditor_dsn, "clinic-audit") as pool, pool.acquire() as connection:
            return [
                await verify_chain(
                    connection,
                    task.chain,
                    task.partition,
                    topic_name(settings, CHAINED[task.chain]),
                    keys,
                    task.kept,
                )
                for task in tasks
            ]

    return asyncio.run(walk())


def _print_json(reports: Sequence[ChainReport], seconds: float) -> None:
    entries = sum(report.entries for report in reports)
    summary = {
        "entries": entries,
        "findings": sum(report.finding is not None for report in reports),
        "seconds": round(seconds, 3),
        "entries_per_s": round(entries / seconds),
        "chains": [asdict(report) for report in reports],
    }
    print(json.dumps(summary, indent=2))


def _print_table(reports: Sequence[ChainReport], seconds: float) -> None:
    rows = table("chain", "entries", "dropped", "heads", "skipped", "")
    for report in reports:
        state = Text(report.finding, "red") if report.finding else Text("fits", "green")
        figures = (f"{number:,}" for number in (report.entries, report.dropped, report.heads, report.skipped))
        rows.add_row(f"{report.chain}/{report.partition}", *figures, state)
    screen = console()
    screen.print(rows)
    entries = sum(report.entries for report in reports)
    screen.print(f"{entries:,} entries in {seconds:.1f} s, {entries / seconds:,.0f} per second")
