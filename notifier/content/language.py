"""The languages that letters are written in: gettext catalogues, of which English is the original."""

import gettext
import io
from collections.abc import Callable
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ENGLISH = "en"
TRANSLATED = ("de",)
DOMAIN = "letters"


def translation(language: str) -> Callable[[str], str]:
    """A message of ours in that language; in English for one that we do not have."""
    return _CATALOGUES.get(language, _CATALOGUES[ENGLISH]).gettext


def known(language: str) -> str:
    """The language, or English."""
    return language if language in _CATALOGUES else ENGLISH


def _catalogue(language: str) -> gettext.NullTranslations:
    # Compiled here, so that there is no second file to keep in step.
    source = files(__package__) / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


_CATALOGUES = {ENGLISH: gettext.NullTranslations()} | {one: _catalogue(one) for one in TRANSLATED}
