"""The pictures of docs/ARCHITECTURE.md are those of the code: its imports, topics, services and states."""

import re
import tomllib
from pathlib import Path

import grimp

from contracts.topics import TOPICS

ROOT = Path(__file__).parents[3]
FLOW, IMPORTS, _ = re.findall(
    r"```mermaid\n(.*?)```", (ROOT / "docs" / "ARCHITECTURE.md").read_text(), re.DOTALL
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_arrow_between_packages_is_an_import_and_the_other_way_round() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", IMPORTS, re.MULTILINE))
    graph = grimp.build_graph(*PROJECT["tool"]["importlinter"]["root_packages"], cache_dir=None)
    found = {
        (module.partition(".")[0], imported.partition(".")[0])
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    assert drawn == {(importer, imported) for importer, imported in found if importer != imported}


def test_the_flow_shows_every_topic_and_service() -> None:
    drawn = set(re.findall(r"\[\(([\w.]+\.v\d)\)\]", FLOW))
    assert drawn == {topic.name for topic in TOPICS}
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    services = set(layers[1].split(" | "))
    assert services <= set(re.findall(r"\[(\w+)\]$", FLOW, re.MULTILINE))


def test_every_topic_is_written_and_read_by_those_who_name_it() -> None:
    nodes = {name: node for node, name in re.findall(r"^    (\w+)\[\(([\w.]+)\)\]$", FLOW, re.MULTILINE)}
    nodes |= {name: node for node, name in re.findall(r"^    (\w+)\[(\w+)\]$", FLOW, re.MULTILINE)}
    arrows = set(re.findall(r"^    (\w+) -->(?:\|[^|]*\|)? (\w+)$", FLOW, re.MULTILINE))
    for topic in TOPICS:
        [constant] = re.findall(
            rf'^(\w+_TOPIC) = Topic\("{topic.name}"', (ROOT / "contracts/topics.py").read_text(), re.MULTILINE
        )
        for service in ("ingress", "booking_worker", "auditor", "notifier"):
            drawn = arrows & {
                (nodes[service], nodes[topic.name]), (nodes[topic.name], nodes[service]),
            }  # fmt: skip
            if drawn:
                sources = [path.read_text() for path in (ROOT / service).rglob("*.py")]
                assert any(constant in source for source in sources), (service, constant)
