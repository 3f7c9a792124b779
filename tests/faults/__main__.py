"""`python -m tests.faults`: inject faults into the clinic and verify its guarantees.

Exit status: 0 they hold, 1 findings, 3 the run is void.
"""

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

from ops.migrate import migrate
from ops.topics import ensure_topics
from tests.faults.faults.catalogue import ALL, DEFAULT
from tests.faults.keeping import run_folder
from tests.faults.machine.machine import SERVICES, machine
from tests.faults.machine.servers import Servers
from tests.faults.machine.source import compile_source, copy_source
from tests.faults.run import Report, run
from tests.faults.workload.clients import CLIENTS

# The minimum per second on a machine with two cores.
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
    clients_count: int = CLIENTS,
) -> Report:
    """One run on a clinic of its own in the directory."""
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
                clients_count=clients_count,
            )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1000.0, help="how long faults are injected")
    parser.add_argument("--seed", type=int, help="repeats a run's schedule")
    parser.add_argument("--faults", default=",".join(DEFAULT), help="names of faults, or `all`: %(default)s")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="number of clients: %(default)s")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keeps logs, data and the history in DIR")
    arguments = parser.parse_args()
    names = list(ALL) if arguments.faults == "all" else [name for name in arguments.faults.split(",") if name]
    if unknown := set(names) - ALL.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    with run_folder(arguments.keep, "faults-") as directory:
        report = asyncio.run(
            break_clinic(
                directory,
                names,
                seed=seed,
                seconds=arguments.seconds,
                operations_min=int(OPERATIONS_PER_S_MIN * arguments.seconds * arguments.clients / CLIENTS),
                faults_min=len(names),
                keep=arguments.keep,
                clients_count=arguments.clients,
            )
        )
    print(report)
    sys.exit(1 if report.findings else VOID if report.void_because else 0)


if __name__ == "__main__":
    main()
