"""Style that a program can check."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("contracts", "scheduling", "storage", "ingress", "booking_worker", "auditor", "notifier", "ops")
PRODUCT = (*SERVICES, "infra", "migrations")
ALL = (*PRODUCT, "benchmarks", "tests")
NAMELESS = {"one", "some", "place", "here", "there", "what", "more"}
CLOCKS_AND_CHANCE = re.compile(
    r"(datetime\.(now|utcnow)|time\.(time|monotonic|perf_counter)(_ns)?|uuid\.uuid[14]|(random|secrets)\.\w+)$"
)
# `contracts` imports nothing of ours, and `ops/install.py` runs with nothing installed.
NOT_OF_THE_TREE = ("UndecodableError", "InstallError")
LINES_MAX = 250
MODULES_MAX = 16


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def nameless_variable(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in NAMELESS:
            yield f"line {node.lineno}: {node.id}"
        elif isinstance(node, ast.arg) and node.arg in NAMELESS:
            yield f"line {node.lineno}: {node.arg}"


def unpacked_literal(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.Tuple | ast.List):
            yield f"line {node.lineno}: *{ast.unparse(node.value)}"


def docstring_begins_with_a_question(path: Path) -> Iterator[str]:
    docstring = ast.get_docstring(parsed(path)) or ""
    if docstring.startswith(("What ", "Who ", "Whom ", "Whose ", "Whether ")):
        yield docstring.splitlines()[0]


def clock_or_chance(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and CLOCKS_AND_CHANCE.match(ast.unparse(node)):
            yield f"line {node.lineno}: {ast.unparse(node)} (`infra.clock` has it)"


def long_file(path: Path) -> Iterator[str]:
    if (lines := len(path.read_text().splitlines())) > LINES_MAX:
        yield f"{lines} lines"


CHECKS = {
    "nameless_variable": (nameless_variable, ALL),
    "unpacked_literal": (unpacked_literal, ALL),
    "docstring_begins_with_a_question": (docstring_begins_with_a_question, ALL),
    "clock_or_chance": (clock_or_chance, SERVICES),
    "long_file": (long_file, ALL),
}


@pytest.mark.parametrize("name", CHECKS)
def test_every_file(name: str) -> None:
    check, folders = CHECKS[name]
    relative = {str(path.relative_to(ROOT)): list(check(path)) for path in files(*folders)}
    assert {path: found for path, found in relative.items() if found} == {}


def test_a_class_has_a_name_of_its_own() -> None:
    by_name = defaultdict(set)
    for path in files(*PRODUCT):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                by_name[node.name].add(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in by_name.items() if len(paths) > 1} == {}


def test_our_errors_are_one_tree() -> None:
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for path in files(*PRODUCT)
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    roots = {name for name in bases if bases[name] & {"Exception", "RuntimeError", "ValueError", "OSError"}}
    assert roots == {"ClinicError", *NOT_OF_THE_TREE}


def test_a_folder_holds_few_modules() -> None:
    # Migrations grow by one with each change of the schema, and released ones stay as they are.
    counted = [path for path in files(*ALL) if path.parent != ROOT / "migrations" / "versions"]
    counts = {str(path.parent.relative_to(ROOT)): 0 for path in counted}
    for path in counted:
        counts[str(path.parent.relative_to(ROOT))] += path.name != "__init__.py"
    assert {name: n for name, n in counts.items() if n > MODULES_MAX} == {}
