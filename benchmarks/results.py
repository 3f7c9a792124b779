"""The ratios of a run, kept in `benchmarks/RESULTS.md`, and compared with those of another run.

Absolute figures depend on the machine and on what else it does. A ratio of two figures of one run does so far
less: a ratio that fell is a defect of the change that made it fall.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Figure, Ratio

FILE = Path(__file__).with_name("RESULTS.md")
FALL_MAX = 0.20
_ROW = re.compile(r"^\| (?P<name>[^|]+) \| (?P<value>[\d.]+) \| (?P<better>higher|lower) \|$", re.MULTILINE)
_HEAD = """# Ratios of the benchmarks

Written by `make bench`; `make bench ARGS=--compare` measures again and names what became worse by more than
20 %. Each is a figure divided by another of the same run, so that runs on different machines can be compared.

| ratio | value | better |
|---|---:|---|
"""


def read() -> dict[str, Ratio]:
    """The ratios that are kept, by name."""
    text = FILE.read_text() if FILE.exists() else ""
    rows = [(row["name"], float(row["value"]), row["better"]) for row in _ROW.finditer(text)]
    return {
        name: Ratio(name, value, "lower" if better == "lower" else "higher") for name, value, better in rows
    }


def keep(figures: Sequence[Figure]) -> None:
    """Write the ratios of these figures; those that were not measured stay."""
    ratios = read() | {ratio.name: ratio for figure in figures for ratio in figure.ratios}
    rows = (f"| {ratio.name} | {ratio.value:.3f} | {ratio.better} |\n" for _, ratio in sorted(ratios.items()))
    FILE.write_text(_HEAD + "".join(rows))


def falls(figures: Sequence[Figure]) -> list[str]:
    """One sentence for each ratio that is worse than the kept one by more than 20 %."""
    kept = read()
    return [
        f"{ratio.name}: {ratio.value:.2f}, was {before.value:.2f} ({ratio.better} is better)"
        for figure in figures
        for ratio in figure.ratios
        if (before := kept.get(ratio.name)) and _became_worse(before, ratio)
    ]


def _became_worse(before: Ratio, now: Ratio) -> bool:
    if now.better == "higher":
        return now.value < before.value * (1 - FALL_MAX)
    return now.value > before.value * (1 + FALL_MAX)
