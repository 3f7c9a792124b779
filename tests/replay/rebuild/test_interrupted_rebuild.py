"""A rebuild that is interrupted or killed half-way leaves the book as it was, and no process behind."""

import asyncio
import os
import signal
import sys

import psutil
import pytest

from infra.errors import TransientError
from ops.rebuild import processes
from ops.rebuild.fold_all import fold_all
from ops.rebuild.rebuild import INTERRUPTED
from tests.clinic import database
from tests.processes import environment
from tests.replay.conftest import Seeded, fetchval, state
from tests.replay.rebuild.held_up import fold_and_die
from tests.waiting import until_async


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
async def test_the_book_is_as_it_was(seeded: Seeded, template: str, blow: signal.Signals) -> None:
    original = await state(seeded.settings)
    async with database(seeded.settings, template) as empty:
        before = await state(empty)
        rebuilding = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.replay.rebuild.held_up", "replay", "rebuild",
            env={**os.environ, **environment(empty)},
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

        async def has_begun() -> bool:
            assert rebuilding.returncode is None, "it did not wait"
            made = await fetchval(empty, "SELECT to_regclass('booking_fresh.events') IS NOT NULL")
            return made and bool(await fetchval(empty, "SELECT count(*) FROM booking_fresh.events"))

        await until_async(has_begun, "events are folded", 60)
        children = psutil.Process(rebuilding.pid).children(recursive=True)
        rebuilding.send_signal(blow)
        _, said = await rebuilding.communicate()

        assert len(children) > 1
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 30)
        assert not alive
        assert await state(empty) == before
        if blow == signal.SIGINT:
            assert (rebuilding.returncode, b"The book is as it was" in said) == (INTERRUPTED, True), said

        told: list[tuple[int, int]] = []
        rebuilt = await fold_all(empty, watch=lambda done, total: told.append((done, total)))

        assert rebuilt.state == original, seeded.seed
        assert rebuilt.folded == original.rows["events"]
        assert told[-1][0] == rebuilt.folded <= told[-1][1]


async def test_a_process_that_was_killed_is_no_wait_for_ever(
    seeded: Seeded, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "fold_partition", fold_and_die)
    async with database(seeded.settings, template) as empty:
        before = await state(empty)
        with pytest.raises(TransientError, match="was killed"):
            await fold_all(empty)
        assert await state(empty) == before
        assert await fetchval(empty, "SELECT to_regnamespace('booking_fresh') IS NULL")
