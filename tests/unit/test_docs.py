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
