"""A booking worker in a process of its own, timed over a backlog."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.stack.scratch import free_port
from benchmarks.stack.service import service_process
from infra.errors import ClinicError
from infra.settings import Settings
from ops.load.cpu import CpuMeter

NAME = "backlog worker"
ASSIGNED = "partitions assigned"
START_TIMEOUT_S = 30.0
DECIDED_PER_S_MIN = 1_000
DONE_TIMEOUT_S_MIN = 60.0
POLL_INTERVAL_S = 0.02
LAST_LINES = 5


@dataclass(frozen=True)
class WorkerRun:
    """Seconds from the assignment until all was decided, and until all events were published.

    `transaction_s_max` is the upper bound of the histogram's bucket that the longest is in.
    """

    decided_s: float
    published_s: float
    transactions: float
    transaction_s_max: float
    memory_mb_max: float
    cpu_percent: dict[str, float]


async def work_off(settings: Settings, data_dir: Path, ends: dict[int, int]) -> WorkerRun:
    """Start a worker and let it reach the end offset of every partition.

    Raises:
        ClinicError: it ended, or did not reach them in time.
    """
    settings = settings.model_copy(update={"metrics_port": free_port()})
    database = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    try:
        async with _process(settings) as worker:
            async with asyncio.timeout(START_TIMEOUT_S):
                assigned_s = await worker.assigned
            meter = CpuMeter(data_dir, {NAME: worker.pid})
            timeout_s = DONE_TIMEOUT_S_MIN + sum(ends.values()) / DECIDED_PER_S_MIN
            await _until(worker, lambda: _decided(database, ends), timeout_s)
            decided_s, cpu = time.time() - assigned_s, meter.percent()
            await _until(worker, lambda: _published(database), timeout_s)
            published_s = time.time() - assigned_s
            transactions = await _transactions(settings)
            return WorkerRun(decided_s, published_s, *transactions, _memory_mb_max(worker.pid), cpu)
    except TimeoutError:
        raise ClinicError("The worker did not decide the backlog in time.") from None
    finally:
        await database.close()


class _Worker:
    """`assigned` is when it got its partitions (Unix time, seconds)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.assigned: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.process = process
        self._lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def last_words(self) -> str:
        return " / ".join(self._lines) or "it said nothing"

    async def listen(self) -> None:
        assert self.process.stdout is not None, "it is a pipe"
        async for line in self.process.stdout:
            text = line.decode(errors="replace").strip()
            self._lines.append(text)
            if ASSIGNED in text and not self.assigned.done():
                self.assigned.set_result(datetime.fromisoformat(json.loads(text)["timestamp"]).timestamp())
        if not self.assigned.done():
            self.assigned.set_exception(ClinicError(f"The worker ended: {self.last_words}"))


@asynccontextmanager
async def _process(settings: Settings) -> AsyncIterator[_Worker]:
    pipe = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    listening = None
    try:
        async with service_process("worker", settings, **pipe) as process:
            worker = _Worker(process)
            listening = asyncio.create_task(worker.listen())
            yield worker
    finally:
        if listening is not None:
            await listening  # to the end of its output


async def _decided(database: asyncpg.Connection, ends: dict[int, int]) -> bool:
    rows = await database.fetch("SELECT partition, next_offset FROM booking.partition_progress")
    reached = {row["partition"]: row["next_offset"] for row in rows}
    return all(reached.get(partition, 0) >= end for partition, end in ends.items())


async def _published(database: asyncpg.Connection) -> bool:
    found = await database.fetchval(
        "SELECT bool_and(published_count = event_count) FROM booking.partition_progress"
    )
    return bool(found)


async def _until(worker: _Worker, reached: Callable[[], Awaitable[bool]], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while not await reached():
            if worker.process.returncode is not None:
                raise ClinicError(f"The worker ended: {worker.last_words}")
            await asyncio.sleep(POLL_INTERVAL_S)


async def _transactions(settings: Settings) -> tuple[float, float]:
    """How many there were, and the bucket of the longest, seconds."""
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"http://{settings.host}:{settings.metrics_port}/metrics")).text
    [family] = [
        sample
        for sample in text_string_to_metric_families(text)
        if sample.name == "clinic_transaction_seconds"
    ]
    buckets = [
        (float(sample.labels["le"]), sample.value) for sample in family.samples if "le" in sample.labels
    ]
    total = buckets[-1][1]
    return total, next(bound for bound, count in buckets if count == total)


def _memory_mb_max(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    # proc_pid_status(5): the largest resident set so far, in KiB.
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
