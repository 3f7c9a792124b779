"""Statements in files, found by name."""

from pathlib import Path

import pytest

from infra.queries import load_queries

FILE = """
-- Statements of a test.

-- first --
-- What it is for.
SELECT {columns}
FROM somewhere -- of all places

-- second_one --
SELECT 2
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(text, "utf-8")
    return path


def test_statements_are_found_by_name_without_the_comment_above_them(tmp_path: Path) -> None:
    assert load_queries(_file(tmp_path, FILE), columns="a, b") == {
        "first": "SELECT a, b\nFROM somewhere -- of all places",
        "second_one": "SELECT 2",
    }


def test_without_lists_braces_are_left_alone(tmp_path: Path) -> None:
    assert load_queries(_file(tmp_path, "-- empty --\nSELECT '{}'")) == {"empty": "SELECT '{}'"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "SELECT 1\n-- one --\nSELECT 2",
        "-- one --\n",
        "-- one --\nSELECT 1\n-- one --\nSELECT 2",
    ],
    ids=["nothing", "no name", "a statement before the first name", "no statement", "a name twice"],
)
def test_a_file_that_is_not_in_the_format_is_refused_when_it_is_loaded(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"queries\.sql"):
        load_queries(_file(tmp_path, text))
