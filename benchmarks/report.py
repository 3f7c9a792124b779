"""Figures, and how they are printed: tables for people, or JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil

from rich.console import Console
from rich.table import Table

WIDTH_MIN = 180
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Goal:
    """What a figure should be on a machine with two cores, this generator included."""

    text: str
    reached: bool


@dataclass(frozen=True)
class Ratio:
    """A figure divided by one of the same run on the same machine, so that runs can be compared."""

    name: str
    value: float
    better: str = "higher"
    """`higher` or `lower`."""


@dataclass(frozen=True)
class Figure:
    """One line of the report.

    `values` by name, units last. `cpu_percent` by part, 100 is one core. `unexpected` counts every answer
    that was not the expected one.
    """

    section: str
    name: str
    values: dict[str, float]
    cpu_percent: dict[str, float] = field(default_factory=dict)
    unexpected: dict[str, int] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()
    ratios: tuple[Ratio, ...] = ()


def percentiles_ms(latencies_s: Sequence[float]) -> dict[str, float]:
    """`p50_ms`, `p95_ms` and `p99_ms` by nearest rank; nothing of nothing."""
    in_order = sorted(latencies_s)
    if not in_order:
        return {}
    return {f"p{rank}_ms": 1000 * in_order[ceil(len(in_order) * rank / 100) - 1] for rank in PERCENTILES}


def at_most(values: dict[str, float], name: str, limit: float) -> Goal:
    """A goal that the value, where there is one, does not exceed."""
    return Goal(f"{name} ≤ {limit:g}", values.get(name, float("inf")) <= limit)


def at_least(values: dict[str, float], name: str, limit: float) -> Goal:
    """A goal that the value, where there is one, does not fall short of."""
    return Goal(f"{name} ≥ {limit:g}", values.get(name, 0.0) >= limit)


def print_json(figures: Sequence[Figure]) -> None:
    """Print all figures as one JSON array."""
    print(json.dumps([asdict(figure) for figure in figures], indent=2, ensure_ascii=False))


def print_tables(figures: Sequence[Figure]) -> None:
    """Print two tables per section: the figures with their goals, and the CPU usage."""
    console = Console()
    console = Console(width=max(console.width, WIDTH_MIN), highlight=False)
    for section in dict.fromkeys(figure.section for figure in figures):
        ours = [figure for figure in figures if figure.section == section]
        console.print(f"\n[bold]{section}[/]")
        console.print(_figures(ours))
        for ratio in (ratio for figure in ours for ratio in figure.ratios):
            console.print(f"[dim]ratio[/] {ratio.name}: {ratio.value:.2f} [dim]({ratio.better} is better)[/]")
        if any(figure.cpu_percent for figure in ours):
            console.print(_cpu(ours))


def _figures(figures: Sequence[Figure]) -> Table:
    names = list(dict.fromkeys(name for figure in figures for name in figure.values))
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("goal")
    table.add_column("not as expected")
    for figure in figures:
        goals = ", ".join(f"[{'green' if goal.reached else 'red'}]{goal.text}[/]" for goal in figure.goals)
        unexpected = ", ".join(f"{count} × {answer}" for answer, count in figure.unexpected.items())
        cells = [_number(figure.values[name]) if name in figure.values else "" for name in names]
        table.add_row(figure.name, *cells, goals, unexpected)
    return table


def _cpu(figures: Sequence[Figure]) -> Table:
    parts = list(dict.fromkeys(part for figure in figures for part in figure.cpu_percent))
    table = Table(box=None, pad_edge=False, header_style="dim", style="dim")
    table.add_column("CPU, % of one core", no_wrap=True)
    for part in parts:
        table.add_column(part, justify="right")
    for figure in figures:
        if figure.cpu_percent:
            table.add_row(figure.name, *(f"{figure.cpu_percent.get(part, 0):.0f}" for part in parts))
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
