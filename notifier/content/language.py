"""The languages of notifications: gettext catalogues, with English as the original."""

import gettext
import io
from collections.abc import Callable
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ENGLISH = "en"
TRANSLATED = ("de",)
DOMAIN = "notifications"


def translation(language: str) -> Callable[[str], str]:
    """The translator into a language; into English if there is no catalogue for it."""
    return _CATALOGUES.get(language, _CATALOGUES[ENGLISH]).gettext


def known(language: str) -> str:
    """The language, or English if there is no catalogue for it."""
    return language if language in _CATALOGUES else ENGLISH


def _catalogue(language: str) -> gettext.NullTranslations:
    # Compiled here, so that no second file has to be kept in sync.
    source = files(__package__) / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    compiled = io.BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


_CATALOGUES = {ENGLISH: gettext.NullTranslations()} | {
    language: _catalogue(language) for language in TRANSLATED
}
