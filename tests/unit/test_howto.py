"""The recipes of docs/howto.md name every file that their example occurs in, and no file that is gone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = "contracts scheduling storage infra ingress booking_worker auditor notifier ops migrations"
SECTIONS = (ROOT / "docs" / "howto.md").read_text().split("\n## ")[1:]
RECIPES = {section.partition("\n")[0]: section for section in SECTIONS}
FIELD_FILES_MAX = 10


def listed(recipe: str) -> set[str]:
    return set(re.findall(r"`(\w+/[\w./]+\.\w+)`", RECIPES[recipe]))


def occurrences(recipe: str) -> set[str]:
    [pattern] = re.findall(r"<!-- example: (.+) -->", RECIPES[recipe])
    paths = [path for folder in PRODUCT.split() for path in (ROOT / folder).rglob("*") if path.is_file()]
    sources = [path for path in paths if path.suffix in (".py", ".sql", ".json", ".jinja", ".html", ".txt")]
    return {
        str(path.relative_to(ROOT))
        for path in sources
        if re.search(rf"(?<![a-z])({pattern})(?![a-z])", path.read_text())
    }


def test_there_is_a_recipe_for_each_common_change() -> None:
    changes = ("field", "refusal reason", "command", "notification channel", "read endpoint")
    assert all(any(change in title for title in RECIPES) for change in changes)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_file_with_the_example_is_listed(recipe: str) -> None:
    found = occurrences(recipe)
    assert found, "the example is gone"
    assert found - listed(recipe) == set()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_listed_file_exists_and_deploying_is_described(recipe: str) -> None:
    assert [path for path in listed(recipe) if not (ROOT / path).exists()] == []
    assert "\nDeploy: " in RECIPES[recipe]


def test_a_field_needs_few_files() -> None:
    written = {
        path
        for path in occurrences("Add a field to an appointment")
        if not path.startswith(("contracts/schemas/", "migrations/"))
    }
    assert len(written) <= FIELD_FILES_MAX - 1, "and one migration"
