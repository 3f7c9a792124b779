"""An auditor per test, with the events it reads and the trail it writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from auditor.main import running_auditor
from auditor.verify import ChainReport
from benchmarks.services.events import append_events, append_to, bookings
from contracts.events import Fact
from contracts.topics import EVENTS_TOPIC
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.metrics import PARTITION_STOPPED
from infra.settings import Settings
from ops.audit.heads import signed_now
from ops.audit.verify import Asked, walk
from ops.embedded import Child
from tests.ops.conftest import clinic_command
from tests.processes import service
from tests.waiting import until_async

MARCH = datetime(2026, 3, 10, 9, tzinfo=UTC)
TIMEOUT_S = 90.0
TABLES = ("entries", "heads", "chains", "progress")


class Trail:
    """`settings` name an empty trail and topics of the test's own; `postgres` connects as the owner."""

    def __init__(self, settings: Settings, postgres: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self.postgres = postgres
        self._producer = producer

    async def happen(self, count: int, *, first: int = 1, partition: int = 0, at: datetime = MARCH) -> None:
        """Publish so many bookings on a partition, numbered from `first`, a second apart."""
        await self.facts(list(bookings(partition, count, at, first)), first=first, partition=partition)

    async def happen_everywhere(self, count: int, *, first: int = 1) -> None:
        """Publish so many on every partition."""
        await append_events(self.settings, count, MARCH, first=first)

    async def facts(
        self, facts: Sequence[tuple[datetime, Fact]], *, first: int = 1, partition: int = 0
    ) -> None:
        """Publish these facts on a partition, numbered from `first`."""
        await append_to(self.settings, self._producer, partition, first, facts)

    @contextlib.asynccontextmanager
    async def auditor(self, **settings: Any) -> AsyncIterator[None]:
        """An auditor in this process, inside the block."""
        async with running_auditor(self.settings.model_copy(update=settings)):
            yield

    def auditor_process(self, directory: Path) -> Child:
        """An auditor to be killed, not started yet."""
        return service("auditor", directory, self.settings, "auditor")

    async def keeps(self, count: int, partition: int | None = None) -> None:
        """Waits until the trail has so many entries, in all or on a partition."""

        async def there() -> bool:
            return await self.size(partition) >= count

        await until_async(there, f"{count} entries are kept", TIMEOUT_S)

    async def stops(self, partition: int) -> None:
        """Waits until the auditor has stopped this partition."""
        stopped = PARTITION_STOPPED.labels(topic_name(self.settings, EVENTS_TOPIC), str(partition))

        async def it_is() -> bool:
            return bool(stopped._value.get())

        await until_async(it_is, f"partition {partition} stops", TIMEOUT_S)

    async def size(self, partition: int | None = None) -> int:
        """The number of entries, by the chains' ends."""
        return int(
            await self.postgres.fetchval(
                """
                SELECT coalesce(sum(size), 0)::bigint FROM audit.chains
                WHERE chain = 'booking' AND partition = coalesce($1, partition)
                """,
                partition,
            )
        )

    async def kept(self, count: int, **settings: Any) -> None:
        """Have so many bookings on partition 0 recorded by an auditor, and stop it."""
        await self.happen(count)
        async with self.auditor(**settings):
            await self.keeps(count, 0)

    async def hashes(self) -> list[tuple[int, int, bytes]]:
        """Partition, number and hash of every entry, in order."""
        rows = await self.postgres.fetch(
            "SELECT partition, number, hash FROM audit.entries ORDER BY chain, partition, number"
        )
        return [tuple(row) for row in rows]

    async def reports(self, *heads: Path) -> list[ChainReport]:
        """The result of verifying every chain against kept heads."""
        return await asyncio.to_thread(walk, self.settings, Asked(head_files=heads))

    async def verified(self, *heads: Path) -> int:
        """The number of entries in a valid trail."""
        reports = await self.reports(*heads)
        assert [report for report in reports if report.finding] == []
        return sum(report.entries for report in reports)

    async def finding(self, *heads: Path) -> tuple[int | None, str]:
        """The only finding of a verification: its position and text."""
        [broken] = [report for report in await self.reports(*heads) if report.finding]
        return broken.number, str(broken.finding)

    async def keep_head(self, path: Path) -> Path:
        """Save the output of `clinic audit head` to a file."""
        await asyncio.to_thread(path.write_text, (await signed_now(self.settings)).model_dump_json())
        return path

    async def tamper(self, *statements: str) -> None:
        """Execute as a superuser with all triggers off."""
        async with self.postgres.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                assert await connection.execute(statement) != "UPDATE 0", statement

    async def forget(self) -> None:
        """Empty the trail, so that it is recorded again from the beginning."""
        await self.tamper(*(f"DELETE FROM audit.{table}" for table in TABLES))


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Trail]:
    """The trail that these settings name."""
    dsn = settings.postgres_dsn.get_secret_value()
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as postgres:
        producer = await start_producer(settings, "tests")
        try:
            yield Trail(settings, postgres, producer)
        finally:
            await producer.stop()


PARTITIONS = EVENTS_TOPIC.partitions


def run(trail: Trail, *arguments: str, status: int = 0) -> tuple[str, str]:
    """The output of `clinic audit`, and its stderr."""
    done = clinic_command(trail.settings, "audit", *arguments)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr.strip()
