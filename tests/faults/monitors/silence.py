"""Silence is a finding: a stopped partition has to be reported, and a service that says it ends has to end
(I11).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.kafka.connection import connect, connection, topic_name
from infra.postgres import OUTAGES
from infra.settings import Settings
from ops.embedded import Child
from tests.faults.checker import Finding
from tests.faults.monitors.logbook import Log, stopped_partitions
from tests.waiting import beside

INTERVAL_S = 2.0
STANDS_S_MAX = 30.0
# Longer than any service may take to end after its last critical line.
ENDS_S_MAX = 20.0
# The critical lines with which a service announces its end.
ENDING = ("restarting", "ending", "ends")
ASK_TIMEOUT_S = 5.0
# Kind of service, topic, and its position: the next offset of each partition.
POSITIONS = (
    (
        "worker",
        COMMANDS_TOPIC,
        "SELECT partition, next_offset FROM booking.partition_progress WHERE topic = $1",
    ),
    ("auditor", EVENTS_TOPIC, "SELECT partition, next_offset FROM audit.progress WHERE topic = $1"),
    ("notifier", EVENTS_TOPIC, "SELECT partition, next_offset FROM notify.progress WHERE topic = $1"),
)
Column = tuple[str, str, int]


@dataclass
class Standing:
    """Since when a position has not moved although records follow it. `reported`: it has become a finding."""

    position: int
    since: float
    reported: bool = False


class Silence:
    """Watches inside `watching`."""

    def __init__(
        self,
        settings: Settings,
        services: dict[str, Child],
        metrics: dict[str, str],
        findings: list[Finding],
        logs: Path,
    ) -> None:
        """`services` may change meanwhile; `logs` is the folder of their logs."""
        self._settings = settings
        self._services = services
        self._metrics = metrics
        self._findings = findings
        self._logs = {name: Log(name, logs / f"{name}.log") for name in services}
        self._standing: dict[Column, Standing] = {}
        self._ending: dict[str, tuple[int, float, str]] = {}
        self._alive: dict[str, tuple[int, float]] = {}

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Inside the block, each silence becomes a finding."""
        async with beside(self._watch()):
            yield

    def _lives_since(self, kind: str) -> float:
        """The start of the oldest process of that kind."""
        now, found = time.monotonic(), [time.monotonic()]
        for name, child in self._services.items():
            if name.startswith(kind) and child.running:
                if self._alive.get(name, (0, 0.0))[0] != child.pid:
                    self._alive[name] = (child.pid, now)
                found.append(self._alive[name][1])
        return min(found)

    async def _watch(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            while True:
                self._read_logs()
                try:
                    async with asyncio.timeout(ASK_TIMEOUT_S):
                        positions, ends = await self._positions(), await self._ends()
                except (KafkaError, *OUTAGES):
                    # No progress is possible, and none is expected.
                    self._standing.clear()
                else:
                    await self._look(http, positions, ends)
                await asyncio.sleep(INTERVAL_S)

    def _read_logs(self) -> None:
        now = time.monotonic()
        for name, log in self._logs.items():
            for line in log.poll():
                child = self._services[name]
                # A service that ended may have been restarted before its last lines were read.
                if line.said_at > child.started_at and any(
                    word in str(line.content.get("event", "")) for word in ENDING
                ):
                    self._ending[name] = (child.pid, now, line.text)
        for name, (pid, since, text) in list(self._ending.items()):
            child = self._services[name]
            if child.pid != pid or not child.running:
                del self._ending[name]
            elif now - since > ENDS_S_MAX:
                del self._ending[name]
                said = f"said at level critical {text[:200]!r} and still lives after {ENDS_S_MAX:g} s"
                self._findings.append(Finding("I11", f"{name} {said}"))

    async def _positions(self) -> dict[Column, int]:
        postgres = await asyncpg.connect(self._settings.postgres_dsn.get_secret_value())
        try:
            found: dict[Column, int] = {}
            for kind, topic, query in POSITIONS:
                name = topic_name(self._settings, topic)
                for row in await postgres.fetch(query, name):
                    found[kind, name, row["partition"]] = row["next_offset"]
            return found
        finally:
            postgres.terminate()

    async def _ends(self) -> dict[tuple[str, int], int]:
        consumer = AIOKafkaConsumer(**connection(self._settings), enable_auto_commit=False)
        try:
            await connect(consumer.start())
            ends = await consumer.end_offsets(
                [
                    TopicPartition(topic_name(self._settings, topic), number)
                    for topic in (COMMANDS_TOPIC, EVENTS_TOPIC)
                    for number in range(topic.partitions)
                ]
            )
        finally:
            await consumer.stop()
        return {
            (topic_partition.topic, topic_partition.partition): end for topic_partition, end in ends.items()
        }

    async def _look(
        self, http: httpx.AsyncClient, positions: dict[Column, int], ends: dict[tuple[str, int], int]
    ) -> None:
        now = time.monotonic()
        lives_since = {kind: self._lives_since(kind) for kind, _, _ in POSITIONS}
        for assignment, position in positions.items():
            kind, topic, partition = assignment
            known = self._standing.get(assignment)
            end = ends[topic, partition]
            if position == end or known is None or known.position != position:
                self._standing[assignment] = Standing(position, now)
            elif now - max(known.since, lives_since[kind]) > STANDS_S_MAX and not known.reported:
                known.reported = True
                await self._stands(http, kind, topic, partition, f"{position} of {end}")

    async def _stands(
        self, http: httpx.AsyncClient, kind: str, topic: str, partition: int, where: str
    ) -> None:
        names = [name for name in self._services if name.startswith(kind)]
        lines = [line for name in names for line in self._logs[name].critical]
        missing = []
        if not any(line.is_about(topic, partition) for line in lines):
            missing.append("critical line")
        stopped = [await stopped_partitions(http, self._metrics[name]) for name in names]
        if not any((topic, partition) in partitions_of_a_service for partitions_of_a_service in stopped):
            missing.append("metric")
        if missing:
            text = f"the {kind}'s partition {partition} of {topic} stands at {where} for {STANDS_S_MAX:g} s"
            self._findings.append(Finding("I11", f"{text}, and no {' and no '.join(missing)} says so"))
