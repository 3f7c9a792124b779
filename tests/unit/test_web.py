"""The committed build of the pages belongs to its sources. Needs no Node: `make web` builds anew."""

import json
import re
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.settings import Settings
from ingress.app import create_app
from ingress.openapi.document import document
from ingress.pages.files import BUILT
from ops import web

LANGUAGES = ("en", "de")
PLACEHOLDER = re.compile(r"\{\w+\}")
# A key in the sources: `t("page.skip")`, `count("doctors", n)`, `words["page.noScript"]`.
KEY = re.compile(r'["`](\w+(?:\.\w+)+)["`]')

# One whose end is only known when it is used: t(`failure.${kind}`).
COMPOSED = re.compile(r"`(\w+\.)\$\{")


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((web.WEB / "i18n" / f"{language}.json").read_text())
    return found


def test_the_build_was_made_of_these_sources() -> None:
    assert web.HASH.read_text().strip() == web.sources_hash(), "run `make web` and commit the build"


def test_the_typed_client_is_that_of_the_api() -> None:
    assert web.SCHEMA.read_text() == web.schema(), "run `make web` and commit the build"


def test_the_page_names_files_of_the_build() -> None:
    named = set(re.findall(r'"/(assets/[^"]+)"', (BUILT / "patient.html").read_text()))
    assert named == {f"assets/{path.name}" for path in (BUILT / "assets").iterdir()}


def test_the_lock_names_no_registry() -> None:
    lock: dict[str, Any] = json.loads((web.WEB / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all("integrity" in package for path, package in lock["packages"].items() if path)


def test_german_has_the_keys_and_placeholders_of_english() -> None:
    english, german = words("en"), words("de")
    assert list(german) == list(english)
    for key, text in english.items():
        assert sorted(PLACEHOLDER.findall(german[key])) == sorted(PLACEHOLDER.findall(text)), key


def test_every_word_is_used_and_every_used_word_is_there() -> None:
    english = words("en")
    text = "\n".join(path.read_text() for path in web.sources() if path.suffix in (".svelte", ".ts", ".html"))
    used = set(KEY.findall(text))
    families = {key.rpartition(".")[0] for key in english}
    assert {key for key in used if key.partition(".")[0] in {name.partition(".")[0] for name in english}} <= (
        english.keys() | families
    )
    composed = tuple(COMPOSED.findall(text))
    plural = {key for key in english if key.endswith((".one", ".other")) and key.rpartition(".")[0] in used}
    assert {key for key in english if not key.startswith(composed)} - plural <= used


def test_every_refusal_and_every_problem_has_words() -> None:
    schemas = document(create_app(), date(2026, 1, 5), ZoneInfo("UTC"))["components"]["schemas"]
    reasons = schemas["RefusalBody"]["properties"]["reason"]["x-extensible-enum"]
    needed = {f"refusal.{reason}" for reason in reasons} | {
        f"problem.{code}" for code in schemas["Code"]["enum"]
    }
    assert len(needed) > len(reasons) > 1
    for language in LANGUAGES:
        assert needed <= words(language).keys()


@pytest.mark.parametrize("languages", ["en", "de", "de,en"])
def test_the_languages_of_the_pages_have_words(languages: str) -> None:
    for language in Settings(languages=languages).page_languages:
        assert (BUILT / "words" / f"{language}.json").read_text() == (
            web.WEB / "i18n" / f"{language}.json"
        ).read_text()
