"""A stopped partition has to be reported by log and metric, and a service that says it ends has to end."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.topics import COMMANDS_TOPIC
from infra.settings import Settings
from ops.embedded import Child
from tests.faults.checker import Finding
from tests.faults.monitors import silence
from tests.faults.monitors.silence import ENDS_S_MAX, STANDS_S_MAX, Silence

PLACE = ("worker", COMMANDS_TOPIC.name, 3)
ENDS = {(COMMANDS_TOPIC.name, 3): 9}


class Living(Child):
    """A process that never ends."""

    pid = 7
    running = True


class Watched(Silence):
    """One worker, whose log and metric the test controls."""

    def __init__(self, folder: Path) -> None:
        self.findings: list[Finding] = []
        self.stopped: set[tuple[str, int]] = set()
        self._path = folder / "worker-1.log"
        self.worker = Living("worker-1", [], data_dir=folder)
        services: dict[str, Child] = {"worker-1": self.worker}
        super().__init__(Settings(), services, {"worker-1": "http://nowhere"}, self.findings, folder)

    async def stands(self, seconds: float, monkeypatch: pytest.MonkeyPatch, position: int = 4) -> None:
        """Checked now and again after so long, with its position at `position` then."""

        async def stopped(*_: object) -> set[tuple[str, int]]:
            return self.stopped

        monkeypatch.setattr(silence, "stopped_partitions", stopped)
        now = time.monotonic()
        for at, where in ((now, 4), (now + seconds, position)):
            monkeypatch.setattr(time, "monotonic", lambda at=at: at)
            self._read_logs()
            await self._look(None, {PLACE: where}, ENDS)  # type: ignore[arg-type]

    def say(self, **said: object) -> None:
        """A critical line."""
        with self._path.open("a") as file:
            line = {"level": "critical", "timestamp": "2026-11-28T10:00:00Z", **said}
            file.write(json.dumps(line) + "\n")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_a_short_stop_is_fine(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    await watched.stands(STANDS_S_MAX - 1, monkeypatch)
    assert not watched.findings


async def test_a_position_that_moved_or_has_nothing_to_do_is_fine(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.stands(STANDS_S_MAX + 1, monkeypatch, position=5)
    await watched.stands(STANDS_S_MAX + 1, monkeypatch, position=9)
    assert not watched.findings


@pytest.mark.parametrize(
    ("line", "metric", "missing"),
    [
        (False, False, "no critical line and no metric says so"),
        (True, False, "no metric says so"),
        (False, True, "no critical line says so"),
        (True, True, None),
    ],
)
async def test_a_stopped_partition_is_reported_in_both_ways(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, line: bool, metric: bool, missing: str | None
) -> None:
    if line:
        watched.say(event="partition stopped", partition=3)
    if metric:
        watched.stopped = {(COMMANDS_TOPIC.name, 3)}
    await watched.stands(STANDS_S_MAX + 1, monkeypatch)
    assert [finding.text.endswith(missing or "") for finding in watched.findings] == [True] * bool(missing)


async def test_a_service_that_says_it_ends_and_lives_is_found(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.say(event="a part of the service failed, the process ends")
    await watched.stands(ENDS_S_MAX + 1, monkeypatch, position=9)
    [finding] = watched.findings
    assert "still lives" in finding.text


async def test_the_last_lines_of_an_earlier_process_do_not_count(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.say(event="a part of the service failed, the process ends")
    watched.worker.started_at = datetime(2026, 11, 28, 10, 0, 1, tzinfo=UTC).timestamp()
    await watched.stands(ENDS_S_MAX + 1, monkeypatch, position=9)
    assert not watched.findings
