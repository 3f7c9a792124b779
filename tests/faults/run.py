"""One run: clients work, faults are injected, everything settles, and the checker looks at the result."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.faults.checker import Finding
from tests.faults.faults.fault import Fault
from tests.faults.machine.disk import UnavailableError
from tests.faults.machine.machine import Machine
from tests.faults.monitors.recovery import Recovery
from tests.faults.results.followers import followers_of, settle_followers
from tests.faults.results.topics import check, read_topics
from tests.faults.results.topics import keep as keep_for_later
from tests.faults.schedule import PAUSE_S, Planned, plan
from tests.faults.settling import settle
from tests.faults.workload.clients import CLIENTS, Clients

SETTLE_S = 120.0


@dataclass
class Report:
    """The result of a run.

    It is void if it had fewer operations or fewer kinds of fault than required.
    """

    seed: int
    operations_min: int
    faults_min: int
    operations: int = 0
    met: Counter[str] = field(default_factory=Counter)
    unavailable: dict[str, str] = field(default_factory=dict)
    recoveries: list[Recovery] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    probed: list[float] = field(default_factory=list)
    seconds: float = 0.0
    tracebacks: list[str] = field(default_factory=list)

    @property
    def void_because(self) -> str | None:
        """Why the run proves nothing; None if it is valid."""
        if self.operations < self.operations_min:
            return f"{self.operations} operations, not {self.operations_min}"
        if len(self.met) < self.faults_min:
            return f"{len(self.met)} kinds of fault, not {self.faults_min}"
        return None

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {self.operations} operations in {self.seconds:.0f} s"]
        lines += [f"  {count:4} x {name}" for name, count in sorted(self.met.items())]
        lines += [f"  NOT AVAILABLE: {name}: {why}" for name, why in self.unavailable.items()]
        lines += ["  all partitions decide again, seconds (median, longest, promised):"]
        by_name: dict[str, list[Recovery]] = {}
        for recovery in self.recoveries:
            by_name.setdefault(recovery.after, []).append(recovery)
        for name, recoveries in sorted(by_name.items()):
            took = sorted(recovery.seconds for recovery in recoveries)
            promised = recoveries[0].seconds_max
            lines.append(f"    {name}: {took[len(took) // 2]:.1f}, {took[-1]:.1f}, {promised or '-'}")
        if self.probed:
            longest = max(self.probed)
            lines.append(
                f"  {len(self.probed)} probes had their entry and their mail, after {longest:.1f} s at most"
            )
        lines += [f"  {count:4} x {how}" for how, count in sorted(self.ended.items())]
        if self.void_because:
            lines.append(f"VOID: {self.void_because}")
        lines.append(f"{len(self.findings)} findings")
        lines += [f"  {finding.invariant}: {finding.text}" for finding in self.findings]
        if self.findings:
            lines += ["Tracebacks in the services' logs:", *self.tracebacks]
        return "\n".join(lines)


async def run(
    machine: Machine,
    faults: Sequence[Fault],
    *,
    seed: int,
    seconds: float,
    pause_s: tuple[float, float] = PAUSE_S,
    settle_s: float = SETTLE_S,
    operations_min: int = 0,
    faults_min: int = 0,
    until_a_finding: bool = False,
    keep: Path | None = None,
    clients_count: int = CLIENTS,
) -> Report:
    """Break the machine for so long, then check. With `keep`, the history is written to that folder.

    `until_a_finding`: if commands are left undecided, do not wait for the rest.
    """
    report = Report(seed, operations_min, faults_min, recoveries=machine.recoveries.measured)
    begun = time.monotonic()
    clients = Clients(
        machine.urls, machine.settings, seed, machine.history, machine.clients_may_ask, clients_count
    )
    await clients.prepare()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(clients.run(stop))
        try:
            await _break(machine, plan(faults, seconds, seed, pause_s), seconds, report)
        finally:
            stop.set()
    left = await settle(machine.settings, settle_s)
    report.findings += [Finding("I1", f"{settle_s:g} s after the last fault {text}") for text in left]
    followers = None
    if not (until_a_finding and left):
        await clients.finish()
        await machine.probes.last()
        report.findings += await settle_followers(machine.settings, settle_s)
        followers = await followers_of(machine)
    report.operations = clients.operations
    report.probed = machine.probes.took_s
    topics = machine.archive.whole(await read_topics(machine.settings))
    topics = replace(topics, followers=followers)
    if keep is not None:
        keep_for_later(keep, machine.history, topics)
    report.findings += machine.findings
    report.ended = machine.ended_by_themselves()
    report.tracebacks = machine.tracebacks()
    report.findings += check(machine.history, topics)
    report.seconds = time.monotonic() - begun
    return report


async def _break(machine: Machine, lanes: list[list[Planned]], seconds: float, report: Report) -> None:
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(_one_after_the_other(machine, lane, begun, report))
        group.create_task(asyncio.sleep(seconds))


async def _one_after_the_other(machine: Machine, lane: list[Planned], begun: float, report: Report) -> None:
    for planned in lane:
        await asyncio.sleep(begun + planned.at_s - time.monotonic())
        print(f"{time.monotonic() - begun:6.1f} s: {planned.fault.name}", flush=True)
        began_at = time.time()
        try:
            await planned.fault.apply(machine, random.Random(planned.seed))
        except UnavailableError as error:
            report.unavailable[planned.fault.name] = str(error)
        else:
            report.met[planned.fault.name] += 1
        finally:
            if planned.fault.mail_may_repeat:
                machine.mail_may_repeat.append((began_at, time.time()))
