"""The report: everything in one file, nothing that runs, and the verdict in words."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from infra.errors import MisconfiguredError
from ops.load import check_installed
from ops.load.bottleneck import resources
from ops.load.job import Sample
from ops.load.mix import SHARES, Action
from ops.load.profiles import PROFILES, LoadKind
from ops.load.report.charts import Axis, Chart, Limit, Series
from ops.load.report.html import write_report
from ops.load.run import Result
from ops.load.sla import lines
from ops.load.step import Step
from ops.load.watch import Reading

CPU = {"ingress": 95.0, "worker": 20.0, "postgres": 30.0, "generator": 20.0, "others": 10.0}


def step(per_s: float, latency_ms: float, *, error: bool = False) -> Step:
    samples = [
        Sample(at_s=number / per_s, action=action, latency_ms=latency_ms, outcome="ok", ok=True)
        for number, action in enumerate([action for action, n in SHARES.items() for _ in range(n)] * 2)
    ]
    if error:
        samples.append(Sample(1, Action.BOOK, 10, "503 <busy>", ok=False))
    readings = [Reading(at_s, CPU, {"decision": 5.0}, 0.1, 2) for at_s in (2, 4)]
    used = resources(readings, dict.fromkeys(CPU, 1), cores=4)
    return Step(per_s, 10, samples, readings, used, lines(samples), ["notifier"])


def result(kind: LoadKind, *steps: Step) -> Result:
    began_at = datetime(2026, 11, 30, 7, 5, tzinfo=UTC)
    return Result(PROFILES[kind], "http://127.0.0.1:8000", began_at, list(steps))


def written(found: Result, folder: Path) -> str:
    path = folder / "reports" / "report.html"
    write_report(found, path)
    return path.read_text()


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def loaded(page: str) -> Iterator[str]:
    for tag, attributes in Tags(page).found:
        if (
            tag in ("script", "iframe", "img", "object", "base")
            or {"src", "href", "srcset"} & attributes.keys()
        ):
            yield tag
    yield from re.findall(r"url\(|@import", page)


def test_it_is_one_file_that_loads_and_runs_nothing(tmp_path: Path) -> None:
    page = written(result(LoadKind.STRESS, step(50, 10), step(62, 900)), tmp_path)
    assert list(loaded(page)) == []
    assert "default-src 'none'; style-src 'unsafe-inline'" in page


def test_a_run_that_keeps_the_levels_says_so_with_its_figures(tmp_path: Path) -> None:
    page = written(result(LoadKind.LOAD, step(50, 12)), tmp_path)
    assert "<title>Load test (load): met</title>" in page
    assert "All service levels are kept at 50 requests a second." in page
    assert page.count('class="figure good"') == 3
    assert page.count('<svg viewBox="0 0 640') == 6
    assert all(action.value in page for action in Action)
    assert "No metrics from: notifier." in page
    assert "<h2>Errors and refusals</h2>" not in page


def test_the_cpu_time_for_each_request_is_that_of_the_requests_that_were_sent(tmp_path: Path) -> None:
    found = step(50, 12)  # 200 requests in 10 s, with 95 % of a core for the ingress
    assert found.cpu_ms["ingress"] == pytest.approx(47.5)
    assert "<tr><td>ingress</td><td>95</td><td>47.50</td></tr>" in written(
        result(LoadKind.LOAD, found), tmp_path
    )


def test_a_run_that_misses_one_says_which_and_escapes_what_it_was_told(tmp_path: Path) -> None:
    found = result(LoadKind.SMOKE, step(10, 12, error=True))
    assert not found.met
    page = written(found, tmp_path)
    assert "Missed at 10 requests a second: errors: 1, limit 0." in page
    assert page.count('class="figure bad"') == 1
    assert "book: 503 &lt;busy&gt;" in page


def test_a_stress_test_says_where_it_broke_and_why(tmp_path: Path) -> None:
    found = result(LoadKind.STRESS, step(50, 10), step(62, 20), step(78, 900), step(78, 901))
    assert found.met
    assert found.sentences == [
        "All service levels are kept at up to 62 requests a second.",
        "Missed at 78 requests a second: read p95: 901 ms, limit 200 ms; "
        "confirmed write p95: 901 ms, limit 500 ms.",
        "At the limit: ingress used 95 % of a core.",
    ]
    page = written(found, tmp_path)
    assert "Latency by load" in page
    assert page.count("<td>78</td>") == 2


def test_a_stress_test_that_fails_at_its_first_rate_has_failed() -> None:
    found = result(LoadKind.STRESS, step(50, 900), step(50, 900))
    assert not found.met
    assert found.sentences[0].startswith("Missed at 50 requests a second")


def test_a_stress_test_that_does_not_break_says_up_to_where(tmp_path: Path) -> None:
    found = result(LoadKind.STRESS, step(50, 10), step(5_000, 20))
    assert found.broke is None
    assert found.sentences == ["All service levels are kept at up to 5000 requests a second."]


def test_a_report_of_a_run_without_metrics_can_be_read(tmp_path: Path) -> None:
    page = written(result(LoadKind.SMOKE, replace(step(10, 12), readings=[], resources=[])), tmp_path)
    assert page.count("Nothing was measured.") == 4


@pytest.mark.parametrize("log", [True, False])
def test_points_lie_within_the_chart_and_higher_values_above(log: bool) -> None:
    points = [(0.0, 1.0), (1.0, 40.0), (2.0, 300.0)]
    svg = Chart(
        "", "", Axis("s"), Axis("ms", log), [Series("a", "read", points)], [Limit("b", "read", 200)]
    ).svg
    [line] = re.findall(r'points="([^"]+)"', svg)
    places = [tuple(map(float, pair.split(","))) for pair in line.split()]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    heights = [y for _, y in places]
    assert heights == sorted(heights, reverse=True)
    assert all(12 <= y <= 220 for y in heights)
    [limit_y] = re.findall(r'class="limit read"[^>]+ y1="([\d.]+)"', svg)
    assert heights[2] < float(limit_y) < heights[1]


def test_a_missing_locust_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "locust", None)
    with pytest.raises(MisconfiguredError, match=r"python3 ops/install\.py load"):
        check_installed()
