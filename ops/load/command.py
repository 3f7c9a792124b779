"""`clinic load`: runs a load test, says what came of it, and writes the report."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from infra.settings import Settings
from ops.connections import quiet
from ops.console import console, table
from ops.load.job import Sample
from ops.load.profiles import LoadProfile
from ops.load.report.html import write_report
from ops.load.run import Result, run
from ops.load.sla import figures, number, unusual
from ops.load.tokens import TokenSource

FOLDER = "load"


def load_test(
    settings: Settings,
    data_dir: Path,
    source: TokenSource,
    profile: LoadProfile,
    report: Path | None,
    as_json: bool,
) -> bool:
    """Run it, print the result, write the report. Returns True if every service level was kept.

    Raises:
        ClinicError: Locust is not installed, or the clinic does not answer.
        OSError: the report cannot be written: told before the test, not after minutes of it.
    """
    quiet()
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.open("ab").close()
    result = asyncio.run(_run(settings, data_dir, source, profile))
    name = f"{profile.kind}-{result.began_at:%Y-%m-%dT%H-%M-%S}.html"
    path = report or data_dir / FOLDER / name
    write_report(result, path)
    if as_json:
        print(json.dumps(_summary(result, path), indent=2))
    else:
        _print(result, path)
    return result.met


async def _run(settings: Settings, data_dir: Path, source: TokenSource, profile: LoadProfile) -> Result:
    # Progress is for people, on stderr: the result may be piped.
    screen = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, console=screen, disable=not screen.is_terminal, transient=True) as bar:
        step = bar.add_task("", total=profile.warm_up_s + profile.seconds, visible=False)

        def say(line: str) -> None:
            bar.reset(step, visible=False)
            print(line, file=sys.stderr, flush=True)

        def progress(sample: Sample) -> None:
            bar.update(step, completed=sample.at_s + profile.warm_up_s, visible=True)

        return await run(settings, data_dir, source, profile, say, progress)


def _print(result: Result, path: Path) -> None:
    step = result.steps[-1]
    rows = table("what a patient does", "count", "p50 ms", "p95 ms", "p99 ms", "refused", "errors")
    for row in figures(step.samples):
        latencies = (
            number(value) if value is not None else "" for value in (row.p50_ms, row.p95_ms, row.p99_ms)
        )
        rows.add_row(row.action, f"{row.count:,}", *latencies, f"{row.refused:,}", f"{row.errors:,}")
    screen = console()
    screen.print(rows)
    for text, count in unusual(step.samples):
        screen.print(f"{count:,} × {text}")
    for line in step.lines:
        colour, verdict = ("green", "met") if line.met else ("red", "missed")
        screen.print(f"[{colour}]{verdict:<7}[/]{line}")
    for sentence in result.sentences:
        screen.print(sentence)
    screen.print(f"report: {path}")


def _summary(result: Result, path: Path) -> dict[str, Any]:
    return {
        "kind": result.profile.kind,
        "met": result.met,
        "verdict": result.sentences,
        "held_per_s": result.held.per_s if result.held else None,
        "broke_per_s": result.broke.per_s if result.broke else None,
        "steps": [
            {
                "per_s": step.per_s,
                "requests": len(step.samples),
                "lines": [
                    {"name": line.name, "value": line.value, "limit": line.limit, "met": line.met}
                    for line in step.lines
                ],
                "cpu_ms_for_each_request": {part: round(ms, 3) for part, ms in step.cpu_ms.items()},
                "resources": [
                    {"name": resource.name, "used": round(resource.used, 3), "text": resource.text}
                    for resource in step.resources
                ],
            }
            for step in result.steps
        ],
        "report": str(path),
    }
