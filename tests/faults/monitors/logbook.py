"""The services' critical log lines, as they are written, and their metrics."""

import contextlib
import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

STOPPED = "clinic_partition_stopped"
FOREIGN = "clinic_foreign_events_total"
METRICS_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Line:
    """A critical line of a service's log, and when it was read (`time.monotonic()`)."""

    service: str
    read_at: float
    content: dict[str, Any]

    @property
    def text(self) -> str:
        """The message."""
        return f"{self.content.get('event', '')} {self.content.get('error', '')}".strip()

    @property
    def said_at(self) -> float:
        """When it was written, in seconds since 1970."""
        return datetime.fromisoformat(str(self.content["timestamp"])).timestamp()

    def is_about(self, topic: str, partition: int) -> bool:
        """Whether it names the partition; the worker's lines name no topic."""
        return self.content.get("partition") == partition and self.content.get("topic", topic) == topic


class Log:
    """The critical lines of one service. A log that has become shorter is read from its beginning."""

    def __init__(self, service: str, path: Path) -> None:
        self.service = service
        self.critical: list[Line] = []
        self._path = path
        self._read_bytes = 0

    def poll(self) -> list[Line]:
        """New critical lines since the last call."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            if self._path.stat().st_size < self._read_bytes:
                self._read_bytes = 0
            file.seek(self._read_bytes)
            content = file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._read_bytes += len(whole)
            new = [
                Line(self.service, time.monotonic(), said)
                for line in whole.splitlines()
                if (said := _critical(line)) is not None
            ]
            self.critical += new
            return new
        return []


def tracebacks(folder: Path) -> dict[str, str]:
    """The tracebacks in the services' logs: the first of each kind, by its last line."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.log")):
        for line in path.read_bytes().splitlines():
            if b'"exception":' not in line:
                continue
            with contextlib.suppress(ValueError, AttributeError):  # a killed service's half line
                text = json.loads(line).get("exception", "")
                found.setdefault(text.rpartition("\n")[2], f"{path.stem}: {text}")
    return found


async def stopped_partitions(
    http: httpx.AsyncClient, url: str, metric: str = STOPPED
) -> set[tuple[str, int]]:
    """The partitions that a service's metrics report as stopped, or in another metric; none if it does not
    answer.
    """
    try:
        answer = await http.get(url, timeout=METRICS_TIMEOUT_S)
    except httpx.HTTPError:
        return set()
    return {
        (sample.labels["topic"], int(sample.labels["partition"]))
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == metric and sample.value >= 1
    }


def _critical(line: bytes) -> dict[str, Any] | None:
    if b'"critical"' not in line:
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) and content.get("level") == "critical" else None
