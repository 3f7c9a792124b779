"""The auditor catching up with a backlog of events, then `clinic audit verify` over what it wrote."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import asyncpg

from benchmarks.report import Figure, at_least
from benchmarks.services.events import append_events
from benchmarks.stack.scratch import environment, scratch_database, scratch_topics
from benchmarks.stack.service import service_process
from contracts.topics import EVENTS_TOPIC
from infra import clock
from infra.errors import ClinicError
from infra.settings import Settings
from ops.load.cpu import CpuMeter

AUDITOR = "auditor over a backlog"
VERIFY = "clinic audit verify"
ENTRIES = 240_000
CAUGHT_UP_PER_S_MIN = 10_000
VERIFIED_PER_S_MIN = 100_000
DONE_TIMEOUT_S = 180.0
POLL_INTERVAL_S = 0.02


async def measure(settings: Settings, data_dir: Path, say: Callable[[str], None]) -> list[Figure]:
    """Both over 240,000 bookings, on a database and topics of their own.

    Raises:
        ClinicError: the auditor did not catch up, or what it wrote does not verify.
    """
    run = f"bench_{clock.new_id().hex[:8]}"
    per_partition = ENTRIES // EVENTS_TOPIC.partitions
    async with (
        scratch_topics(settings, f"{run}-") as scratch,
        scratch_database(scratch, run) as scratch,
    ):
        say(f"appending {ENTRIES:,} events …")
        await append_events(scratch, per_partition, clock.now() - timedelta(seconds=per_partition))
        say("the auditor over them …")
        caught_up, cpu = await _catch_up(scratch, data_dir)
        say("verifying …")
        verified, verify_cpu = await _verify(scratch, data_dir)
    section = f"Audit trail of {ENTRIES:,} events"
    return [
        Figure(section, AUDITOR, caught_up, cpu, goals=(at_least(caught_up, "per_s", CAUGHT_UP_PER_S_MIN),)),
        Figure(
            section, VERIFY, verified, verify_cpu, goals=(at_least(verified, "per_s", VERIFIED_PER_S_MIN),)
        ),
    ]


async def _catch_up(settings: Settings, data_dir: Path) -> tuple[dict[str, float], dict[str, float]]:
    database = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        async with service_process("auditor", settings) as process, asyncio.timeout(DONE_TIMEOUT_S):
            # From its first transaction on: starting Python and joining the group is not catching up.
            first = await _kept(database, process, 1)
            began_s, meter = time.perf_counter(), CpuMeter(data_dir, {AUDITOR: process.pid})
            await _kept(database, process, ENTRIES)
            seconds = time.perf_counter() - began_s
            return {"per_s": (ENTRIES - first) / seconds, "seconds": seconds}, meter.percent()
    except TimeoutError:
        raise ClinicError("The auditor did not catch up in time.") from None
    finally:
        await database.close()


async def _kept(database: asyncpg.Connection, process: asyncio.subprocess.Process, count: int) -> int:
    while True:
        kept: int = await database.fetchval("SELECT coalesce(sum(size), 0)::bigint FROM audit.chains")
        if kept >= count:
            return kept
        if process.returncode is not None:
            raise ClinicError("The auditor ended.")
        await asyncio.sleep(POLL_INTERVAL_S)


async def _verify(settings: Settings, data_dir: Path) -> tuple[dict[str, float], dict[str, float]]:
    meter = CpuMeter(data_dir)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops.cli",
        "audit",
        "verify",
        "--json",
        env={**os.environ, **environment(settings)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    cpu = meter.percent()
    if process.returncode:
        raise ClinicError("The trail does not verify.")
    said = json.loads(output)
    assert said["entries"] == ENTRIES, "all were read"
    return {"per_s": ENTRIES / said["seconds"], "seconds": said["seconds"]}, cpu
