"""A rebuild that is interrupted or killed half-way goes on when it is run again."""

import asyncio
import os
import signal
import sys

import pytest

from ops.replay.rebuild import INTERRUPTED, fold_all
from tests.clinic import database
from tests.processes import environment
from tests.replay.conftest import Seeded, fetchval, state
from tests.waiting import until_async

FOLDED = "SELECT coalesce(sum(event_count), 0)::bigint FROM booking.partition_progress"


# `clinic`, in which one partition never begins, and whoever waits for it waits for ever.
HELD_UP = """
import asyncio
from booking_worker.recovery.catch_up import CatchUp

async def for_ever(*_):
    await asyncio.Event().wait()

async def run(self, number, *, run=CatchUp.run):
    await (for_ever() if number == {held_up} else run(self, number))

CatchUp.run, CatchUp._wait = run, for_ever
from ops.cli import main
main()
"""


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
async def test_it_goes_on(seeded: Seeded, template: str, blow: signal.Signals) -> None:
    original = await state(seeded.settings)
    busiest = await fetchval(
        seeded.settings, "SELECT partition FROM booking.partition_progress ORDER BY event_count DESC LIMIT 1"
    )
    async with database(seeded.settings, template) as empty:
        rebuilding = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            HELD_UP.format(held_up=busiest),
            "replay",
            "rebuild",
            env={**os.environ, **environment(empty)},
            stderr=asyncio.subprocess.PIPE,
        )

        async def has_begun() -> bool:
            assert rebuilding.returncode is None, "it did not wait"
            return bool(await fetchval(empty, FOLDED))

        await until_async(has_begun, "events are folded", 60)
        rebuilding.send_signal(blow)
        _, said = await rebuilding.communicate()
        half = await fetchval(empty, FOLDED)
        assert 0 < half < original.rows["events"]
        if blow == signal.SIGINT:
            assert (rebuilding.returncode, b"run it again to go on" in said) == (INTERRUPTED, True), said

        told: list[tuple[int, int]] = []
        rebuilt = await fold_all(empty, watch=lambda done, total: told.append((done, total)))

        assert rebuilt.state == original, seeded.seed
        assert 0 < rebuilt.folded <= original.rows["events"] - half  # its last commit may have come late
        assert all(0 <= done <= rebuilt.folded <= total for done, total in told)
