"""I10, and the minimum that a run must have for its findings to prove anything."""

import asyncio
import time
from collections import Counter

import httpx
import pytest

from tests.faults.checker import Finding
from tests.faults.monitors.recovery import KAFKA_S_MAX, POSTGRES_S_MAX, WORKER_S_MAX, Recoveries
from tests.faults.run import Report
from tests.faults.workload.history import History


def a_run() -> Report:
    """A hundred operations and two kinds of fault, exactly the minimum."""
    met = Counter({"kill-worker": 3, "kill-kafka": 1})
    return Report(1, operations_min=100, faults_min=2, operations=100, met=met)


class Decided(Recoveries):
    """Every partition decides at once, or never."""

    def __init__(self, never: bool = False) -> None:
        self.findings: list[Finding] = []
        super().__init__(History(), self.findings)
        self.give_up_s, self._never = (0.001 if never else self.give_up_s), never

        self.clients = [httpx.AsyncClient(trust_env=False)]

    async def _decided(self, partition: int, client: httpx.AsyncClient) -> None:
        if self._never:
            await asyncio.Event().wait()


def test_a_run_with_just_enough_operations_and_faults_counts() -> None:
    report = a_run()
    assert report.void_because is None
    assert "VOID" not in str(report)


def test_a_run_with_too_few_operations_is_void() -> None:
    report = a_run()
    report.operations = 99
    assert report.void_because == "99 operations, not 100"
    assert "VOID: 99 operations, not 100" in str(report)


def test_a_run_with_too_few_kinds_of_fault_is_void_however_often_they_occurred() -> None:
    report = a_run()
    report.met = Counter({"kill-worker": 4})
    assert report.void_because == "1 kinds of fault, not 2"


def test_a_report_has_every_finding() -> None:
    report = a_run()
    report.tracebacks = ["worker: Traceback\nKeyError: 1"]
    assert str(report).endswith("0 findings")

    report.findings = [Finding("I2", "this"), Finding("I9", "that")]
    assert "2 findings\n  I2: this\n  I9: that\n" in str(report)
    assert str(report).endswith("worker: Traceback\nKeyError: 1")


@pytest.mark.parametrize("seconds_max", [WORKER_S_MAX, KAFKA_S_MAX, POSTGRES_S_MAX, None])
async def test_a_recovery_in_time_is_fine(seconds_max: float | None) -> None:
    recoveries = Decided()
    await recoveries.measure("a fault", time.monotonic(), seconds_max)
    assert not recoveries.findings
    assert [recovery.seconds_max for recovery in recoveries.measured] == [seconds_max]


@pytest.mark.parametrize("seconds_max", [WORKER_S_MAX, KAFKA_S_MAX, POSTGRES_S_MAX])
async def test_a_recovery_that_takes_too_long_is_found(seconds_max: float) -> None:
    recoveries = Decided()
    await recoveries.measure("a fault", time.monotonic() - seconds_max - 0.1, seconds_max)
    [finding] = recoveries.findings
    assert finding.invariant == "I10"
    assert f"and not within {seconds_max:g} s" in finding.text


async def test_no_recovery_at_all_is_found() -> None:
    recoveries = Decided(never=True)
    await recoveries.measure("a fault", time.monotonic())
    assert recoveries.findings == [
        Finding("I10", "after a fault not all partitions decide again within 0.001 s")
    ]
    assert not recoveries.measured


@pytest.mark.parametrize(
    ("seconds_max", "promised"), [(WORKER_S_MAX, 10), (KAFKA_S_MAX, 30), (POSTGRES_S_MAX, 15)]
)
def test_recoveries_have_to_meet_the_promised_times(seconds_max: float, promised: int) -> None:
    assert seconds_max == promised
