"""`clinic replay rebuild` from the events that a worker has decided."""

import asyncio
from pathlib import Path

from benchmarks.report import Figure, Ratio, at_least
from infra.errors import ClinicError
from infra.settings import Settings
from ops.load.cpu import CpuMeter
from ops.rebuild.fold_all import WorkersRunningError, fold_all

NAME = "rebuild from their events"
FOLDED_PER_S_MIN = 20_000
# A worker that has ended is a member of its group until its session ends.
TRIES = 60
INTERVAL_S = 1.0


async def measure(settings: Settings, data_dir: Path, section: str, worker_per_s: float) -> Figure:
    """Fold them all; `worker_per_s` is how fast they were decided.

    Raises:
        ClinicError: events are missing, or a worker runs.
    """
    for _ in range(TRIES):
        meter = CpuMeter(data_dir)
        try:
            rebuilt = await fold_all(settings)
        except WorkersRunningError:
            await asyncio.sleep(INTERVAL_S)
            continue
        per_s = rebuilt.folded / rebuilt.seconds
        values = {"per_s": per_s, "seconds": rebuilt.seconds}
        return Figure(
            section, NAME, values, meter.percent(),
            goals=(at_least(values, "per_s", FOLDED_PER_S_MIN),),
            ratios=(Ratio("rebuild / worker over a backlog", per_s / worker_per_s),),
        )  # fmt: skip
    raise ClinicError("The worker did not leave its group.")
