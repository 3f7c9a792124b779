"""Everything that the documents name exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# In backticks: a test as pytest names it; a path that begins with a folder of ours.
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FOLDERS = (
    "auditor", "benchmarks", "booking_worker", "contracts", "docs", "infra", "ingress", "migrations",
    "notifier", "ops", "scheduling", "tests",
)  # fmt: skip
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")

FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
COMMAND = re.compile(r"(\.venv/bin/\w+|clinic|docker|echo|make|newman|python3) ")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_and_test_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    for path, name in TEST.findall(text):
        assert re.search(rf"^ *(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (
            f"{path}::{name}"
        )
    missing = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert missing == []


def test_each_invariant_is_held_by_a_test_that_its_paragraph_names() -> None:
    paragraphs = (ROOT / "docs" / "GUARANTEES.md").read_text().split("\n\n")
    stated = {match[1]: part for part in paragraphs if (match := re.match(r"\*\*(I\d+)\.", part))}
    assert stated.keys() == {f"I{number}" for number in range(1, 12)}
    assert [name for name, part in stated.items() if not TEST.search(part)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_output_is_only_shown_where_a_test_runs_the_commands(document: Path) -> None:
    text = document.read_text()
    # The README's example, which `tests/embedded/test_readme.py` runs as printed.
    shown = [source for language, source in FENCED.findall(text) if language != "mermaid"]
    assert [source.startswith(". .clinic/stack.env") for source in shown] == [True] * len(shown)
    assert len(shown) == (document.name == "README.md")
    for block in INDENTED.findall(FENCED.sub("", text)):
        lines = [line.strip() for line in block.replace("\\\n", "").splitlines()]
        if COMMAND.match(lines[0]):
            assert [line for line in lines if not COMMAND.match(line) and not line.startswith("#")] == []
