"""`python -m tests.faults.bugs`: runs the clinic with each seeded defect; each has to be detected.

Exit status: 0 every defect is detected, 1 one survives.
"""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import clock
from ops.topics import ensure_topics
from tests.clinic import database
from tests.faults.bugs.defect import Defect, copy_with
from tests.faults.bugs.defects import DEFECTS
from tests.faults.faults.catalogue import ALL
from tests.faults.keeping import run_folder
from tests.faults.machine.machine import SERVICES, machine
from tests.faults.machine.servers import Servers
from tests.faults.machine.source import run_from
from tests.faults.run import Report, run
from tests.faults.schedule import HURRY_S
from tests.processes import environment

SETTLE_S = 15.0
OPERATIONS_MIN = 100


@dataclass(frozen=True)
class Hunt:
    """The result for one defect. `broke`: the clinic did not run at all, which proves nothing."""

    defect: Defect
    report: Report
    seconds: float
    broke: str = ""

    @property
    def caught_by(self) -> list[str]:
        """The violated invariants, of those that the defect violates."""
        return sorted({finding.invariant for finding in self.report.findings} & set(self.defect.invariants))

    def __str__(self) -> str:
        if self.broke:
            return f"BROKE: {self.broke[:120]}"
        if not self.caught_by:
            others = ", ".join(sorted({finding.invariant for finding in self.report.findings}))
            return f"SURVIVES ({self.report.operations} operations{f'; {others}' if others else ''})"
        text = next(finding.text for finding in self.report.findings if finding.invariant in self.caught_by)
        return f"{', '.join(self.caught_by)}: {text[:120]}"


async def hunt(servers: Servers, defect: Defect, directory: Path, seed: int) -> Hunt:
    """Run the clinic with the defect, with topics and a database of its own, in `directory`."""
    begun = time.monotonic()
    source = directory / "source"
    copy_with(defect, source)
    async with database(servers.settings) as settings:
        own = settings.model_copy(update={"namespace": f"b{clock.new_id().hex[:8]}."})
        run_from(source, "-m", "ops.cli", "migrate", environment=environment(own))
        await ensure_topics(own)
        async with machine(
            servers, own, directory, source=source, clock="jump-clock" in defect.faults
        ) as running:
            running.recoveries.give_up_s = SETTLE_S
            report = await run(
                running,
                [ALL[name] for name in defect.faults],
                seed=seed,
                seconds=defect.seconds,
                pause_s=HURRY_S,
                settle_s=SETTLE_S,
                operations_min=OPERATIONS_MIN,
                until_a_finding=True,
                keep=directory,
            )
    return Hunt(defect, report, time.monotonic() - begun)


async def hunt_all(defects: Sequence[Defect], directory: Path, seed: int) -> list[Hunt]:
    """All defects in turn, on the same servers."""
    hunts = []
    async with Servers(directory / "servers", SERVICES) as servers:
        for defect in defects:
            begun = time.monotonic()
            try:
                hunts.append(await hunt(servers, defect, directory / defect.name, seed))
            except Exception as error:
                hunts.append(Hunt(defect, Report(seed, 0, 0), time.monotonic() - begun, repr(error)))
            print(f"{defect.name:28} {hunts[-1].seconds:4.0f} s  {hunts[-1]}", flush=True)
    return hunts


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bugs", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a defect; all by default")
    parser.add_argument("--seed", type=int, help="repeats the schedules")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keeps sources and logs in DIR")
    parser.add_argument("--list", action="store_true", help="lists the defects and what each would mean")
    arguments = parser.parse_args()
    known = {defect.name: defect for defect in DEFECTS}
    if unknown := set(arguments.names) - known.keys():
        parser.error(f"no such defect: {', '.join(sorted(unknown))}")
    if arguments.list:
        for defect in DEFECTS:
            print(f"{defect.name:28} {defect.matters}")
        return
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    wanted = [known[name] for name in arguments.names] or list(DEFECTS)
    with run_folder(arguments.keep, "bugs-") as directory:
        hunts = asyncio.run(hunt_all(wanted, directory, seed))
    survivors = [hunt.defect.name for hunt in hunts if not hunt.caught_by]
    print(
        f"{len(hunts) - len(survivors)} of {len(hunts)} found in {sum(hunt.seconds for hunt in hunts):.0f} s"
    )
    sys.exit(f"not found: {', '.join(survivors)}" if survivors else 0)


if __name__ == "__main__":
    main()
