"""A stress test climbs until a service level is missed twice; the others are one step."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.load import run as run_module
from ops.load.job import Job, Sample
from ops.load.mix import Action
from ops.load.profiles import PROFILES, LoadKind
from ops.load.run import Result, run
from ops.load.scene import Scene
from ops.load.sla import lines
from ops.load.step import Step
from ops.load.tokens import TokenSource

SOURCE = TokenSource(key_file="signing.pem")


def ran(
    monkeypatch: pytest.MonkeyPatch, kind: LoadKind, slow: Sequence[bool], per_s_max: float = 5_000
) -> tuple[Result, list[Job]]:
    """A load test on a clinic that is slow in these steps, and at last."""
    jobs: list[Job] = []

    @asynccontextmanager
    async def prepared(*_: Any) -> AsyncIterator[Scene]:
        yield Scene("Load test 1", ["doctor"], ["patient"], ["start"], "2027-03-01")

    async def run_step(_: Settings, __: Path, job: Job, ___: Any) -> tuple[Step, Scene]:
        latency_ms = 900.0 if len(jobs) >= len(slow) or slow[len(jobs)] else 10.0
        jobs.append(job)
        samples = [Sample(1, action, latency_ms, "ok", ok=True) for action in (Action.DOCTORS, Action.BOOK)]
        step = Step(job.per_s, job.seconds, samples, [], [], lines(samples), [])
        return step, replace(job.scene, commands=job.scene.commands + 1)

    monkeypatch.setattr(run_module, "prepared", prepared)
    monkeypatch.setattr(run_module, "run_step", run_step)
    profile = replace(PROFILES[kind], per_s_max=per_s_max)
    return asyncio.run(run(Settings(), Path(), SOURCE, profile, lambda line: None)), jobs


def rates(jobs: list[Job]) -> list[float]:
    return [job.per_s for job in jobs]


@pytest.mark.parametrize("kind", [LoadKind.SMOKE, LoadKind.LOAD])
@pytest.mark.parametrize("slow", [True, False])
def test_smoke_and_load_are_one_step(monkeypatch: pytest.MonkeyPatch, kind: LoadKind, slow: bool) -> None:
    result, jobs = ran(monkeypatch, kind, [slow])
    assert rates(jobs) == [PROFILES[kind].per_s]
    assert result.met is not slow


def test_stress_climbs_and_a_step_is_missed_only_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    result, jobs = ran(monkeypatch, LoadKind.STRESS, [False, False, True, False])
    assert rates(jobs) == [50, 62, 78, 78, 98, 98]
    assert result.held is not None
    assert result.broke is not None
    assert (result.held.per_s, result.broke.per_s) == (78, 98)
    assert result.met


def test_stress_that_does_not_break_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    result, jobs = ran(monkeypatch, LoadKind.STRESS, [False] * 9, per_s_max=80)
    assert rates(jobs) == [50, 62, 78]
    assert result.broke is None


def test_a_step_goes_on_where_the_one_before_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    _, jobs = ran(monkeypatch, LoadKind.STRESS, [False, False])
    assert [job.scene.commands for job in jobs] == [0, 1, 2, 3]
    assert len({job.seed for job in jobs}) == len(jobs)


def test_no_more_clients_than_are_used_before_they_idle_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    _, [job] = ran(monkeypatch, LoadKind.SMOKE, [False])
    assert job.clients / job.per_s <= 20


def test_it_is_off_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MisconfiguredError, match="off in production mode"):
        asyncio.run(
            run(Settings(production=True), Path(), SOURCE, PROFILES[LoadKind.SMOKE], lambda line: None)
        )
