"""The table of OWASP ASVS 5.0 names all requirements of levels 1 and 2, and tests and files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# As the standard lists them: its number and level.
REQUIRED = [
    tuple(line.split()) for line in Path(__file__).with_name("asvs_5.0.0.txt").read_text().splitlines()
]
ROW = re.compile(r"^\| (V[\d.]+) \| ([12]) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "ASVS.md").read_text())
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([\w./-]+)(?:#([\w-]+))?\)")
EXCUSES = ("not applicable: ", "**deviation**: ")
EXCUSE_LENGTH_MIN = 20


def test_every_requirement_is_named_once() -> None:
    assert [(number, level) for number, level, _, _ in ROWS] == REQUIRED
    assert len(REQUIRED) == 253


def files_in(cell: str) -> list[str]:
    """The files, folders and tests that a cell names in backticks."""
    return [
        name
        for name in CODE.findall(cell)
        if "/" in name and not name.startswith(("/", "GET ", "application/"))
    ]


@pytest.mark.parametrize(("number", "held_by"), [(number, held_by) for number, _, _, held_by in ROWS])
def test_what_holds_it_exists(number: str, held_by: str) -> None:
    named = files_in(held_by)
    for name in named:
        path, _, test = name.partition("::")
        assert (ROOT / path).exists(), name
        if test:
            assert re.search(rf"^ *(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), name
    for document, section in LINK.findall(held_by):
        assert not section or section in sections(ROOT / "docs" / document), f"{document}#{section}"
    is_excused = held_by.startswith(EXCUSES)
    assert named or is_excused or LINK.search(held_by) or CODE.search(held_by) or "ruff's" in held_by
    assert not is_excused or len(held_by) > EXCUSE_LENGTH_MIN, "an excuse says why"


def sections(document: Path) -> list[str]:
    """The names that links give to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
