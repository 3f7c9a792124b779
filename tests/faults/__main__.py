"""`python -m tests.faults`: break the clinic for a while and see whether it keeps its promises.

Exit status: 0 it does, 1 findings, 3 the run is void.
"""

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

from ops.migrate import migrate
from ops.topics import ensure_topics
from tests.faults.faults import ALL
from tests.faults.keeping import kept_or_not
from tests.faults.machine import SERVICES, machine
from tests.faults.run import Report, run
from tests.faults.servers import Servers
from tests.faults.source import compile_source, copy_source

# What every second has to bring, on a machine with two cores.
OPERATIONS_PER_S_MIN = 25
VOID = 3


async def break_clinic(
    directory: Path,
    names: list[str],
    *,
    seed: int,
    seconds: float,
    operations_min: int,
    faults_min: int,
    keep: Path | None = None,
) -> Report:
    """A clinic of its own in the directory, and one run of it."""
    faults = [ALL[name] for name in names]
    source = directory / "source"
    copy_source(source)
    compile_source(source)
    async with Servers(directory / "servers", SERVICES, small_disk="fill-disk" in names) as servers:
        await asyncio.to_thread(migrate, servers.settings)
        await ensure_topics(servers.settings)
        async with machine(
            servers,
            servers.settings,
            directory / "services",
            source=source,
            clock="jump-clock" in names,
        ) as running:
            return await run(
                running,
                faults,
                seed=seed,
                seconds=seconds,
                operations_min=operations_min,
                faults_min=faults_min,
                keep=keep,
            )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1000.0, help="how long faults come")
    parser.add_argument("--seed", type=int, help="replays a run's schedule")
    parser.add_argument("--faults", default=",".join(ALL), help="some of them, by name: %(default)s")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep logs, data and the history here")
    arguments = parser.parse_args()
    names = [name for name in arguments.faults.split(",") if name]
    if unknown := set(names) - ALL.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    with kept_or_not(arguments.keep, "faults-") as directory:
        report = asyncio.run(
            break_clinic(
                directory,
                names,
                seed=seed,
                seconds=arguments.seconds,
                operations_min=int(OPERATIONS_PER_S_MIN * arguments.seconds),
                faults_min=len(names),
                keep=arguments.keep,
            )
        )
    print(report)
    sys.exit(1 if report.findings else VOID if report.void_because else 0)


if __name__ == "__main__":
    main()
