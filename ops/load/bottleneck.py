"""Why a service level was missed: the resources that were at their limit, the fullest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.load.cpu import GENERATOR, OTHERS
from ops.load.watch import Reading, mean_cpu

# Parts that use one core for each process, because Python runs one thread at a time.
SINGLE_THREADED = ("ingress", "worker", "auditor", "notifier", GENERATOR)
# Above this a queue is long: with random arrivals, work waits ten times as long as it takes.
CORE_FULL = 0.90
MACHINE_FULL = 0.90
POSTGRES_WAIT_MS_MAX = 20.0
OTHERS_MAX = 0.25
TRANSACTION_MS_MAX = 100.0
BACKLOG_S_MAX = 0.5


@dataclass(frozen=True)
class Resource:
    """A resource, and how much of it was used: 1 is its limit. `text` is a sentence for the report."""

    name: str
    used: float
    text: str

    @property
    def is_full(self) -> bool:
        """True if it can explain that requests wait."""
        return self.used >= 1


def resources(readings: Sequence[Reading], processes: Mapping[str, int], cores: int) -> list[Resource]:
    """All resources that were measured, the fullest first. `processes` is their number by part.

    The machine's cores are last among equals: which process used them says more.
    """
    if not readings:
        return []
    cpu = mean_cpu(readings)
    found = [
        Resource(
            part,
            cpu[part] / 100 / processes.get(part, 1) / CORE_FULL,
            f"{part} used {cpu[part]:.0f} % of a core"
            + (f" in {processes[part]} processes" if processes.get(part, 1) > 1 else ""),
        )
        for part in SINGLE_THREADED
        if part in cpu
    ]
    found += [
        _waits(
            "connections to Postgres", readings, "connection", POSTGRES_WAIT_MS_MAX, "each request waited"
        ),
        _waits("deciding transactions", readings, "decision", TRANSACTION_MS_MAX, "one took"),
        _backlog(readings),
    ]
    if OTHERS in cpu:
        found.append(_machine(cpu, cores))
    return sorted(found, key=lambda resource: -round(min(resource.used, 2.0), 2))


def disturbed(readings: Sequence[Reading], cores: int) -> str | None:
    """A sentence if other programs of this machine took much of it: then the figures are worth less."""
    if not readings or (others := mean_cpu(readings).get(OTHERS, 0.0)) < 100 * cores * OTHERS_MAX:
        return None
    return (
        f"Other programs used {others:.0f} % of a core of this machine's {cores}: "
        "measure again when it does nothing else."
    )


def why(found: Sequence[Resource]) -> str:
    """One sentence: what was at its limit, or what came closest."""
    full = [resource for resource in found if resource.is_full]
    if any(resource.name == GENERATOR for resource in full):
        return (
            "The load generator was at its limit, so this says nothing about the clinic: "
            "run it on another machine."
        )
    if full:
        return f"At the limit: {'; '.join(resource.text for resource in full)}."
    if found:
        return f"Nothing that is measured was at its limit; the closest: {found[0].text}."
    return "Nothing could be measured: no metrics endpoint answered."


def _waits(name: str, readings: Sequence[Reading], key: str, limit_ms: float, verb: str) -> Resource:
    means = [reading.means_ms[key] for reading in readings if key in reading.means_ms]
    mean_ms = sum(means) / len(means) if means else 0.0
    return Resource(name, mean_ms / limit_ms, f"{name}: {verb} {mean_ms:.1f} ms on average")


def _backlog(readings: Sequence[Reading]) -> Resource:
    worst_s = max(reading.backlog_s for reading in readings)
    undecided = max(reading.undecided for reading in readings)
    text = f"commands to decide: up to {undecided:,.0f}, the next one expected to wait {worst_s:.1f} s"
    return Resource("backlog", worst_s / BACKLOG_S_MAX, text)


def _machine(cpu: Mapping[str, float], cores: int) -> Resource:
    used = sum(cpu.values())
    greatest = sorted(cpu, key=lambda part: -cpu[part])[:4]
    shares = ", ".join(f"{part} {cpu[part]:.0f} %" for part in greatest)
    text = f"the machine's {cores} cores were {used / cores:.0f} % busy ({shares} of a core)"
    return Resource("the machine's cores", used / 100 / cores / MACHINE_FULL, text)
