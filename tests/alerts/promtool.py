"""promtool, and alerts asked of it: given what services told before and after, does the alert fire?"""

import asyncio
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.yml"))
INTERVAL = timedelta(seconds=15)  # as in deploy/compose/observability/prometheus.yml
UNITS = {"s": 1, "m": 60, "h": 3600}
# A series as promtool writes it: `name{label="value"}`.
Samples = Mapping[str, float]


def alerts() -> dict[str, dict[str, Any]]:
    """The alert rules, by name."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def samples(text: str, instance: str) -> dict[str, float]:
    """What Prometheus stores of an answer of `/metrics`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("clinic_") and not sample.name.endswith("_created"):
                labels = sample.labels | {"instance": instance, "job": "clinic"}
                written = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
                found[f"{sample.name}{{{written}}}"] = sample.value
    return found


class Promtool:
    """The program."""

    def __init__(self, path: Path, folder: Path) -> None:
        """`folder` is where its tests are written."""
        self._path = path
        self._folder = folder

    async def run(self, *arguments: str | Path) -> tuple[int | None, str]:
        """Exit status, and what it said."""
        process = await asyncio.create_subprocess_exec(
            self._path, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    async def fires(self, alert: str, before: Samples, after: Samples, took_s: float, *, once: bool) -> bool:
        """True if the alert fires when it became `after` within so many seconds, and stayed like that.

        It must not have fired before. What happened `once` is not repeated, and has a minute; otherwise
        counters grow as fast as they did for as long as the alert needs: its `for`, and what it looks back.
        """
        rule = alerts()[alert]
        looks_back = [] if once else [_seconds(found) for found in re.findall(r"\[(\w+)\]", rule["expr"])]
        must_last = _seconds(rule.get("for", "0s")) + max([60, *looks_back])
        steps = math.ceil(must_last / INTERVAL.total_seconds()) + 1
        growing = 0.0 if once else min(INTERVAL.total_seconds() / took_s, 1)
        series = [
            {"series": name, "values": values} for name, values in _series(before, after, steps, growing)
        ]
        changed_at = steps * INTERVAL
        firing = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
        for expected in (True, False):
            states = [(changed_at - INTERVAL, False), (changed_at + steps * INTERVAL, expected)]
            status, said = await self._test(f"count({firing}) > bool 0 or vector(0)", series, states)
            if status == 0:
                return expected
        raise AssertionError(said)

    async def _test(
        self, expression: str, series: list[dict[str, str]], states: list[tuple[timedelta, bool]]
    ) -> tuple[int | None, str]:
        interval = f"{INTERVAL.seconds}s"
        asked = [
            {
                "expr": expression,
                "eval_time": f"{int(at.total_seconds())}s",
                "exp_samples": [{"labels": "{}", "value": int(state)}],
            }
            for at, state in states
        ]
        test = {
            "rule_files": [str(path) for path in RULES],
            "evaluation_interval": interval,
            "tests": [{"interval": interval, "input_series": series, "promql_expr_test": asked}],
        }
        path = self._folder / "test.yml"
        path.write_text(json.dumps(test))
        return await self.run("test", "rules", path)


def _series(before: Samples, after: Samples, steps: int, growing: float) -> Iterator[tuple[str, str]]:
    used = set(re.findall(r"\b(?:clinic_\w+|up)\b", "".join(path.read_text() for path in RULES)))
    for name in sorted(before.keys() | after.keys()):
        if name.partition("{")[0] not in used:
            continue
        old, new = before.get(name), after.get(name)
        first = f"_x{steps - 1}" if old is None else f"{old!r}x{steps - 1}"
        if new is None:
            yield name, first
            continue
        is_counter = re.match(r"\w+_(total|bucket|count|sum)\{", name)
        step = (new - (old or 0)) * growing if is_counter else 0.0
        yield name, f"{first} {new!r}+{max(step, 0.0)!r}x{steps + 4}"


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * UNITS[duration[-1]]
