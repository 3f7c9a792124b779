"""A rebalance ends all waiting of a partition; a consumer whose client has died ends its process."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from booking_worker.main import running_worker
from booking_worker.publish import events as publishing
from contracts.topics import COMMANDS_TOPIC
from infra.postgres import is_outage, open_pool
from infra.settings import Settings
from tests.clinic import Clinic, worker_process
from tests.delivery.test_foreign_records import Sender
from tests.faults.faults.raw_records import foreign_producer
from tests.processes import environment
from tests.waiting import until_async

ENDS_WITHIN_S = 45

# The booking worker; its fetch tasks are killed as soon as it runs.
PROGRAM = """
import asyncio, contextlib
from booking_worker.main import running_worker
from infra import service
from infra.settings import Settings

async def kill():
    for task in asyncio.all_tasks():
        if "_fetch_requests_routine" in repr(task):
            task.cancel()
    print("killed", flush=True)
    await asyncio.Event().wait()

@contextlib.asynccontextmanager
async def running(settings, parts):
    async with running_worker(settings, parts):
        await asyncio.sleep(2)
        async with parts.running(kill()):
            yield

service.run(Settings(), "worker", running)
"""


async def test_a_rebalance_does_not_wait_for_events_that_cannot_be_published(
    undecided: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "WAITING_MAX", 0)

    async def stuck(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(publishing.EventPublisher, "_send", stuck)
    other = worker_process(undecided.settings, tmp_path, 2)
    async with foreign_producer(undecided.settings) as producer:
        sender = Sender(undecided, producer)
        async with running_worker(undecided.settings):
            await sender.decides(*[await sender.send(number) for number in range(COMMANDS_TOPIC.partitions)])
            waiting = [await sender.send(number) for number in range(COMMANDS_TOPIC.partitions)]
            try:
                await other.start()

                async def some_are_decided() -> bool:
                    return (
                        len((await sender.decided()).keys() & set(waiting)) >= COMMANDS_TOPIC.partitions // 2
                    )

                await until_async(some_are_decided, "the other worker decides its half", 30)
                assert len(await sender.decided()) < 2 * COMMANDS_TOPIC.partitions
            except BaseException:
                await other.stop()
                raise
        await sender.decides(*waiting)
        await other.stop()


async def test_a_worker_whose_fetch_task_was_killed_ends_with_status_1(undecided: Clinic) -> None:
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", PROGRAM],
        env=environment(undecided.settings),
        stdout=subprocess.PIPE,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert "killed" in process.stdout
    assert process.returncode == 1, process.stdout
    [line] = [line for line in process.stdout.splitlines() if "a part of the service failed" in line]
    assert '"level": "critical"' in line
    assert "a task of the Kafka client has ended" in line


async def test_waiting_for_a_connection_ends_as_an_outage(settings: Settings) -> None:
    dsn = settings.postgres_dsn.get_secret_value()
    async with (
        await open_pool(dsn, "test", connections_max=1, acquire_timeout_s=0.1) as pool,
        pool.acquire(timeout=None),
    ):
        with pytest.raises(TimeoutError) as refused:
            await pool.fetchval("SELECT 1")
    assert is_outage(refused.value)
