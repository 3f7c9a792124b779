"""Runs a load test, step by step, and judges it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path

from infra import clock
from infra.crypto.production import refuse_in_production
from infra.settings import Settings
from ops.load.bottleneck import why
from ops.load.job import Job, Sample
from ops.load.preparation import prepared
from ops.load.profiles import LoadKind, LoadProfile
from ops.load.step import Step, run_step
from ops.load.tokens import TokenSource

# Each client is used again within that time, before an idle connection is closed.
CLIENTS_PER_RATE_S = 20


@dataclass(frozen=True)
class Result:
    """A load test that is over. `steps` in their order; a stress test may repeat one that missed a level."""

    profile: LoadProfile
    url: str
    began_at: datetime
    steps: list[Step]

    @property
    def met(self) -> bool:
        """True if every service level was kept; a stress test breaks in the end, so: at its first rate."""
        return self.held is not None

    @property
    def held(self) -> Step | None:
        """The step with the highest rate at which all service levels were kept."""
        return max((step for step in self.steps if step.met), key=lambda step: step.per_s, default=None)

    @property
    def broke(self) -> Step | None:
        """The last step if a service level was missed there."""
        return None if self.steps[-1].met else self.steps[-1]

    @property
    def sentences(self) -> list[str]:
        """The verdict in words."""
        said = []
        if self.profile.kind is LoadKind.STRESS and self.held:
            said.append(f"All service levels are kept at up to {self.held.per_s:g} requests a second.")
        if self.broke is None:
            if self.profile.kind is not LoadKind.STRESS:
                said.append(f"All service levels are kept at {self.steps[-1].per_s:g} requests a second.")
            return said
        missed = "; ".join(str(line) for line in self.broke.lines if not line.met)
        said.append(f"Missed at {self.broke.per_s:g} requests a second: {missed}.")
        said.append(why(self.broke.resources))
        return [*said, self.broke.disturbed] if self.broke.disturbed else said


async def run(
    settings: Settings,
    data_dir: Path,
    source: TokenSource,
    profile: LoadProfile,
    say: Callable[[str], None],
    progress: Callable[[Sample], None] = lambda sample: None,
) -> Result:
    """Run the load test.

    Raises:
        ClinicError: the clinic does not answer, or this is production mode.
    """
    refuse_in_production(settings, "clinic load")
    began_at = clock.now()
    say(f"registering {profile.doctors} doctors and {profile.patients:,} patients …")
    async with prepared(settings, source, profile.doctors, profile.patients) as scene:
        steps: list[Step] = []
        per_s, tries = profile.per_s, 0
        while True:
            say(f"{per_s:g} requests a second for {profile.seconds:g} s …")
            job = Job(
                settings.url,
                source,
                per_s,
                profile.seconds,
                profile.warm_up_s,
                min(profile.clients, ceil(CLIENTS_PER_RATE_S * per_s)),
                profile.seed + len(steps),
                scene,
            )
            step, scene = await run_step(settings, data_dir, job, progress)
            steps.append(step)
            say("  " + "; ".join(map(str, step.lines)))
            tries = 0 if step.met else tries + 1
            if tries > profile.repeats or (step.met and profile.growth == 1):
                break
            if step.met:
                per_s = float(round(per_s * profile.growth))
            if per_s > profile.per_s_max:
                break
    return Result(profile, settings.url, began_at, steps)
