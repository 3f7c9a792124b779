"""Alert rules, service levels and the dashboard name metrics that exist; the runbook explains each alert."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from tests.alerts.provocations import PROVOCATIONS

ROOT = Path(__file__).parents[3]
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.yml"))
DASHBOARD = ROOT / "deploy" / "grafana" / "clinic.json"
METRICS_MODULES = (
    "auditor.metrics",
    "booking_worker.metrics",
    "infra.metrics",
    "ingress.http.metrics",
    "notifier.metrics",
)
NAME = re.compile(r"\bclinic[_:][a-z0-9_:]+")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def declared() -> dict[str, MetricWrapperBase]:
    """The metrics of all services, by the name without a suffix."""
    found = {}
    for module in map(importlib.import_module, METRICS_MODULES):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                found[metric._name] = metric
    return found


def series() -> set[str]:
    """The names of the series that the services export."""
    return {
        f"{name}{suffix}" for name, metric in declared().items() for suffix in SUFFIXES[str(metric._type)]
    }


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + shown


def test_every_metric_that_is_asked_for_exists() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert asked - series() - recorded == set()
    assert recorded <= asked, "each recorded series is used"


@pytest.mark.parametrize("expression", expressions())
def test_labels_are_those_of_the_metric_and_brackets_match(expression: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    known = {label for metric in declared().values() for label in metric._labelnames}
    by = re.findall(r"by \(([^)]*)\)", expression)
    within = re.findall(r'(\w+)(?:=~|!~|!=|=)"', expression)
    used = {label.strip() for group in by for label in group.split(",")} | set(within)
    assert used - known <= {"le", "job"}


def test_every_metric_to_alert_on_has_an_alert() -> None:
    alerts = " ".join(rule["expr"] for rule in rules() if "alert" in rule)
    wanted = {name for name, metric in declared().items() if "Alert " in metric._documentation}
    # A channel's undeliverable ones are told by their state, lost events by why.
    expired = {"clinic_records_skipped"}
    assert {name for name in wanted if name not in alerts} - expired == set()


def test_every_alert_is_provoked_on_running_services() -> None:
    provoked = [alert for provocation in PROVOCATIONS for alert in provocation.alerts]
    assert sorted(provoked) == sorted(rule["alert"] for rule in rules() if "alert" in rule)


def test_every_alert_has_a_severity_a_sentence_and_a_section_of_the_runbook() -> None:
    headings = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "RUNBOOK.md").read_text(), re.MULTILINE))
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    for rule in alerts.values():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
    assert {heading for heading in headings if heading.startswith("Clinic")} == alerts.keys()
