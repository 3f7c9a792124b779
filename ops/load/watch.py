"""How busy the clinic is while it is loaded: CPU by process, waits and backlogs, every two seconds.

From the metrics endpoints, and on the machine of an embedded stack from its processes, too: its servers
have no metrics of ours.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
from prometheus_client.parser import text_string_to_metric_families

from infra import clock
from infra.crypto.tls import client_context
from infra.metrics import monitoring_urls
from infra.settings import Settings
from ops.load.cpu import GENERATOR, OTHERS, CpuMeter

INTERVAL_S = 2.0
TIMEOUT_S = 1.5
INGRESS = "ingress"
# Sums of seconds over all processes, and what their growth is divided by. Few wait for a connection, and some
# of them long, for a new one: what counts is the share of each request.
MEANS = {
    "decision": ("clinic_transaction_seconds_sum", "clinic_transaction_seconds_count"),
    "connection": ("clinic_postgres_wait_seconds_sum", "clinic_http_requests_total"),
    "wake-up": ("clinic_decision_wait_seconds_sum", "clinic_decision_wait_seconds_count"),
}
CPU = "process_cpu_seconds_total"
BACKLOG = "clinic_backlog_seconds"
ACCEPTED, DECIDED = "clinic_commands_accepted_total", "clinic_commands_decided_total"


@dataclass(frozen=True)
class Reading:
    """The state at a moment, `at_s` on the monotonic clock (of a step: since its warm-up ended).

    `cpu_percent` by part, 100 is one core. `means_ms` since the reading before: a deciding transaction, the
    wait for a connection to Postgres in each request, and the wait for a decision. `backlog_s`: expected wait
    of a new command. `undecided`: commands that were accepted and not decided since the load began.
    """

    at_s: float
    cpu_percent: Mapping[str, float]
    means_ms: Mapping[str, float] = field(default_factory=dict)
    backlog_s: float = 0.0
    undecided: float = 0.0


class Watch:
    """Readings while the context lasts. `silent` are endpoints that never answered."""

    def __init__(self, settings: Settings, data_dir: Path, pids: Mapping[str, int]) -> None:
        """`pids` are processes by name that the data folder does not know."""
        self.urls = _endpoints(settings, data_dir)
        self._trusted = client_context(settings.ca_file)
        self.readings: list[Reading] = []
        self.processes: dict[str, int] = {}
        self._answered: set[str] = set()
        self._meter = CpuMeter(data_dir, dict(pids))
        self._is_local = any((data_dir / "run").glob("*.pid"))
        self._first: dict[str, float] = {}
        self._before: dict[str, float] = {}
        self._cpu_before: dict[str, tuple[float, float]] = {}

    @property
    def silent(self) -> list[str]:
        """Names of the endpoints that did not answer."""
        return sorted(self.urls.keys() - self._answered)

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._read_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _read_on(self) -> None:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=self._trusted) as http:
            await self._read(http)  # what the next reading is compared with
            self.readings.clear()
            while True:
                await asyncio.sleep(INTERVAL_S)
                await self._read(http)

    async def _read(self, http: httpx.AsyncClient) -> None:
        texts = await asyncio.gather(*(_fetch(http, url) for url in self.urls.values()))
        now_s = clock.monotonic()
        sums: dict[str, float] = {}
        cpu: dict[str, float] = {}
        backlog_s = 0.0
        for name, text in zip(self.urls, texts, strict=True):
            if text is None:
                continue
            self._answered.add(name)
            values = parsed(text)
            backlog_s = max(backlog_s, values.get(BACKLOG, 0.0))
            for key, value in values.items():
                sums[key] = sums.get(key, 0.0) + value
            cpu[name] = self._cpu(name, values.get(CPU, 0.0), now_s)
        means = {name: mean for name, of in MEANS.items() if (mean := self._mean_ms(*of, sums)) is not None}
        self._first = self._first or sums
        self._before = sums
        self.readings.append(
            Reading(
                now_s,
                self._parts(cpu),
                means,
                backlog_s,
                max(0.0, self._growth(ACCEPTED, sums) - self._growth(DECIDED, sums)),
            )
        )

    def _cpu(self, name: str, used_s: float, now_s: float) -> float:
        before_s, at_s = self._cpu_before.get(name, (used_s, now_s))
        self._cpu_before[name] = (used_s, now_s)
        return 100 * (used_s - before_s) / (now_s - at_s) if now_s > at_s else 0.0

    def _parts(self, by_endpoint: Mapping[str, float]) -> dict[str, float]:
        measured = self._meter.lap()
        if self._is_local:
            # This process and Locust's: the second alone can be full.
            self.processes = self._meter.processes | {GENERATOR: 1}
            return measured
        parts: dict[str, float] = {GENERATOR: measured[GENERATOR]}
        self.processes = {GENERATOR: 1}
        for name, percent in by_endpoint.items():
            part = part_of(name)
            parts[part] = parts.get(part, 0.0) + percent
            self.processes[part] = self.processes.get(part, 0) + 1
        return parts

    def _mean_ms(self, seconds: str, number: str, sums: Mapping[str, float]) -> float | None:
        count = sums.get(number, 0.0) - self._before.get(number, 0.0)
        total_s = sums.get(seconds, 0.0) - self._before.get(seconds, 0.0)
        return 1000 * total_s / count if count > 0 else None

    def _growth(self, key: str, sums: Mapping[str, float]) -> float:
        return sums.get(key, 0.0) - self._first.get(key, 0.0)


def part_of(name: str) -> str:
    """`worker-2` is a part of `worker`."""
    return name.rstrip("0123456789").rstrip("-")


def parsed(text: str) -> dict[str, float]:
    """Values by name in Prometheus' text format, summed up over their labels; without buckets."""
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
    return values


def mean_cpu(readings: Sequence[Reading]) -> dict[str, float]:
    """The mean of all readings, by part."""
    parts = {part for reading in readings for part in reading.cpu_percent}
    return {
        part: sum(reading.cpu_percent.get(part, 0.0) for reading in readings) / len(readings)
        for part in (*sorted(parts - {OTHERS}), OTHERS)
        if part in parts
    }


def _endpoints(settings: Settings, data_dir: Path) -> dict[str, str]:
    urls = monitoring_urls(data_dir)
    if not any(part_of(name) == INGRESS for name in urls):
        urls = {f"{INGRESS}-1": settings.url, **urls}
    return urls


async def _fetch(http: httpx.AsyncClient, url: str) -> str | None:
    try:
        response = await http.get(f"{url}/metrics")
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == httpx.codes.OK else None
