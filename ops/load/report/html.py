"""The report's file: what was measured, as the template wants it."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ops.load.cpu import OTHERS
from ops.load.job import Sample
from ops.load.mix import SHARES, WRITES
from ops.load.profiles import LoadKind
from ops.load.report.charts import WIDE, Axis, Chart, Limit, Series
from ops.load.run import Result
from ops.load.sla import READ_P95_MS_MAX, WRITE_P95_MS_MAX, figures, number, percentile, unusual
from ops.load.step import Step
from ops.load.watch import mean_cpu
from ops.probes import clinic_version

POINTS_MAX = 60
# A p95 of fewer is hardly more than the slowest.
SAMPLES_MIN = 10
PARTS_MAX = 7
RANKS = (0, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9)
LIMITS = (
    Limit(f"reads: {READ_P95_MS_MAX:g} ms", "read", READ_P95_MS_MAX),
    Limit(f"writes: {WRITE_P95_MS_MAX:g} ms", "write", WRITE_P95_MS_MAX),
)
KINDS = (("reads", "read", False), ("confirmed writes", "write", True))


def write_report(result: Result, path: Path) -> None:
    """Write the report. Raises OSError."""
    environment = Environment(
        loader=PackageLoader("ops.load.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: "–" if value is None else number(value)
    page = environment.get_template("report.html.jinja").render(_values(result))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page)


def _values(result: Result) -> dict[str, Any]:
    # Of a stress test the details are those of the step that broke it: they show why.
    step = result.steps[-1]
    return {
        "result": result,
        "is_stress": result.profile.kind is LoadKind.STRESS,
        "step": step,
        "figures": figures(step.samples),
        "unusual": unusual(step.samples),
        "charts": _charts(result, step),
        "cpu": mean_cpu(step.readings) if step.readings else {},
        "cpu_ms": step.cpu_ms,
        "shares": SHARES,
        "writes": WRITES,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "version": clinic_version(),
    }


def _charts(result: Result, step: Step) -> list[Chart]:
    climb = [_climb(result.steps)] if len(result.steps) > 1 else []
    drawn = (_over_time, _distribution, _throughput, _cpu, _waits, _undecided)
    return [*climb, *(draw(step) for draw in drawn)]


def _climb(steps: Sequence[Step]) -> Chart:
    series = [
        Series(name, style, [(step.per_s, p95) for step in steps if (p95 := _p95(step.samples, is_write))])
        for name, style, is_write in KINDS
    ]
    note = "The p95 of each step. Dashed: the service level; where a line crosses its own, the clinic breaks."
    return Chart("Latency by load", note, Axis("requests a second"), _ms(log=True), series, LIMITS, WIDE)


def _over_time(step: Step) -> Chart:
    def p95(samples: Sequence[Sample]) -> float:
        return percentile([sample.latency_ms for sample in samples], 95) or 0.0

    series = [Series(name, style, _in_time(step, p95, is_write)) for name, style, is_write in KINDS]
    note = "The p95 of each interval, by when the request was due."
    return Chart("Latency over time", note, _seconds(), _ms(log=True), series, LIMITS)


def _distribution(step: Step) -> Chart:
    ticks = tuple((100 / (100 - rank), f"{rank:g} %") for rank in (0, 50, 90, 95, 99, 99.9))
    series = [
        Series(name, style, _ranks([s.latency_ms for s in step.samples if s.action.is_write is is_write]))
        for name, style, is_write in KINDS
    ]
    note = "How many of a hundred were answered within which time."
    return Chart("Distribution of latency", note, Axis("percentile", True, ticks), _ms(log=True), series)


def _throughput(step: Step) -> Chart:
    width_s = _width_s(step)
    answered = _in_time(step, lambda found: sum(sample.ok for sample in found) / width_s)
    errors = _in_time(step, lambda found: sum(not sample.ok for sample in found) / width_s)
    series = [Series("as expected", "read", answered), Series("errors", "error", errors)]
    note = "By when they were due, and what became of them. They come at random, as in life."
    return Chart("Requests", note, _seconds(), Axis("requests a second"), series)


def _cpu(step: Step) -> Chart:
    cpu = mean_cpu(step.readings) if step.readings else {}
    largest = sorted(cpu.keys() - {OTHERS}, key=lambda part: -cpu[part])[:PARTS_MAX]
    styles = {part: f"part-{index}" for index, part in enumerate(largest)} | {OTHERS: "others"}
    series = [
        Series(part, style, [(r.at_s, r.cpu_percent.get(part, 0.0)) for r in step.readings])
        for part, style in styles.items()
        if part in cpu
    ]
    note = "The largest users. “generator” is this load test, “others” the rest of the machine."
    return Chart("CPU", note, _seconds(), Axis("% of a core"), series)


def _waits(step: Step) -> Chart:
    names: Mapping[str, str] = {
        "decision": "deciding transaction",
        "connection": "for a connection to Postgres",
        "wake-up": "for a decision",
    }
    series = [
        Series(text, f"part-{index}", [(r.at_s, r.means_ms[key]) for r in step.readings if key in r.means_ms])
        for index, (key, text) in enumerate(names.items())
    ]
    note = "Means of the clinic's own metrics, two seconds each."
    return Chart("Waits inside", note, _seconds(), Axis("ms"), series)


def _undecided(step: Step) -> Chart:
    series = [Series("waiting", "part-0", [(r.at_s, r.undecided) for r in step.readings])]
    note = "Accepted and not decided yet. It grows while more come than can be decided."
    return Chart("Commands waiting", note, _seconds(), Axis("commands"), series)


def _in_time(
    step: Step, figure: Callable[[Sequence[Sample]], float], is_write: bool | None = None
) -> list[tuple[float, float]]:
    """A figure for each interval, which is so long that it has enough samples of this kind."""
    samples = step.samples
    width_s = _width_s(step)
    if is_write is not None:
        samples = [sample for sample in samples if sample.action.is_write is is_write]
        width_s = max(width_s, step.seconds * SAMPLES_MIN / max(len(samples), 1))
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        found.setdefault(int(sample.at_s / width_s), []).append(sample)
    return [((number + 0.5) * width_s, figure(found[number])) for number in sorted(found)]


def _width_s(step: Step) -> float:
    return max(1.0, step.seconds / POINTS_MAX)


def _ranks(latencies: Sequence[float]) -> list[tuple[float, float]]:
    # No rank that fewer than one sample is beyond.
    return [
        (100 / (100 - rank), value)
        for rank in RANKS
        if len(latencies) * (100 - rank) >= 100 and (value := percentile(latencies, rank)) is not None
    ]


def _p95(samples: Sequence[Sample], is_write: bool) -> float | None:
    return percentile([s.latency_ms for s in samples if s.action.is_write is is_write], 95)


def _seconds() -> Axis:
    return Axis("seconds")


def _ms(log: bool) -> Axis:
    return Axis("ms", log)
