"""A constant load for some time: the generator runs, and the clinic is watched."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra import clock
from infra.errors import ClinicError
from infra.settings import Settings
from ops.load.bottleneck import Resource, disturbed, resources
from ops.load.cpu import GENERATOR
from ops.load.job import BEGUN, Job, Sample
from ops.load.scene import Scene
from ops.load.sla import Line, judged, lines
from ops.load.watch import INTERVAL_S, Reading, Watch, mean_cpu

# One line of the generator at most: the scene at the end.
LINE_BYTES_MAX = 64 * 1024 * 1024
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Step:
    """What came of a load. `samples` are those behind the warm-up; `silent` endpoints did not answer.

    `disturbed`: a sentence if other programs took much of the machine.
    """

    per_s: float
    seconds: float
    samples: list[Sample]
    readings: list[Reading]
    resources: list[Resource]
    lines: list[Line]
    silent: list[str]
    disturbed: str | None = None

    @property
    def cpu_ms(self) -> dict[str, float]:
        """CPU time for each request by part, ms, which depends little on how busy the machine is."""
        per_s = len(self.samples) / self.seconds
        if not self.readings or not per_s:
            return {}
        return {part: 10 * percent / per_s for part, percent in mean_cpu(self.readings).items()}

    @property
    def met(self) -> bool:
        """True if every service level was kept."""
        return all(line.met for line in self.lines)


async def run_step(
    settings: Settings, data_dir: Path, job: Job, progress: Callable[[Sample], None]
) -> tuple[Step, Scene]:
    """Run a job. Returns what came of it, and the scene as it is now.

    Raises:
        ClinicError: the generator ended with an error.
    """
    trusted = {"SSL_CERT_FILE": str(settings.ca_file)} if settings.ca_file else {}  # OpenSSL's
    environment = {**os.environ, **trusted}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops.load.generator",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
        env=environment,
    )
    assert process.stdin is not None, "it is piped"
    assert process.stdout is not None, "it is piped"
    assert process.stderr is not None, "it is piped"
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async with Watch(settings, data_dir, {GENERATOR: process.pid}) as watch:
            process.stdin.write(job.to_json().encode())
            process.stdin.close()
            samples, scene, begun_s = [], None, clock.monotonic()
            async for line in process.stdout:
                if line.strip().decode() == BEGUN:
                    begun_s = clock.monotonic() + job.warm_up_s
                elif line.startswith(b"["):
                    samples.append(Sample.from_line(line.decode()))
                    progress(samples[-1])
                else:
                    scene = Scene(**json.loads(line))
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
    said = (await complaints).decode(errors="replace").strip()
    if status or scene is None:
        raise ClinicError(
            said.splitlines()[-1] if said else f"The load generator ended with status {status}."
        )
    counted = judged(samples)
    readings = _during(watch.readings, begun_s, job.seconds)
    cores = os.cpu_count() or 1
    used = resources(readings, watch.processes, cores)
    said_of_others = disturbed(readings, cores)
    step = Step(job.per_s, job.seconds, counted, readings, used, lines(counted), watch.silent, said_of_others)
    return step, scene


def _during(readings: Sequence[Reading], begun_s: float, seconds: float) -> list[Reading]:
    """Readings of the time that counts, by the same clock as the samples; all of them if it was too short."""
    shifted = [replace(reading, at_s=round(reading.at_s - begun_s, 2)) for reading in readings]
    return [reading for reading in shifted if INTERVAL_S / 2 <= reading.at_s <= seconds + 1] or shifted
