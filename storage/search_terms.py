"""Searches for patients by what is known of them, and the terms that they begin with.

A patient's terms are hashed and cut (`infra.crypto.blind_indexes`), so that many patients share each: they
only choose whose profiles are opened and compared.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from storage import mail_address
from storage.profiles import Profile

PREFIX = 3
"""So many letters of a word are looked for; a shorter word only as a whole."""
WORDS_MAX = 8

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True, slots=True)
class Sought:
    """What a patient must have, all of it. `name`: the beginnings of words, in any order.

    `phone` is E.164, `birth_date` a date of ISO 8601.
    """

    email: str | None = None
    phone: str | None = None
    birth_date: str | None = None
    name: str | None = None

    def groups(self) -> list[set[str]]:
        """Terms; whoever is sought has at least one of each group."""
        groups = [{_phone(self.phone)}] if self.phone else []
        if self.birth_date:
            groups.append({_birth_date(self.birth_date)})
        words = _words(self.name)[:WORDS_MAX]
        return groups + [{_word(spelling) for spelling in _spellings(word)} for word in words]

    def matches(self, profile: Profile) -> bool:
        """True if the profile has all that is sought."""
        if self.email is not None and not mail_address.is_same(self.email, profile.email):
            return False
        if self.phone is not None and self.phone != profile.phone:
            return False
        if self.birth_date is not None and self.birth_date != profile.birth_date:
            return False
        if self.name is None:
            return True
        wanted = _words(self.name)
        known = [spelling for word in _words(profile.name) for spelling in _spellings(word)]
        return bool(wanted) and all(any(_begins(word, spelling) for spelling in known) for word in wanted)


def terms_of(profile: Profile) -> set[str]:
    """The terms by which a patient is found."""
    return set(_terms(profile))


def _terms(profile: Profile) -> Iterator[str]:
    if profile.phone:
        yield _phone(profile.phone)
    if profile.birth_date:
        yield _birth_date(profile.birth_date)
    for word in _words(profile.name):
        yield from map(_word, _spellings(word))


def _phone(phone: str) -> str:
    return f"phone {phone}"


def _birth_date(birth_date: str) -> str:
    return f"birth_date {birth_date}"


def _word(spelling: str) -> str:
    return f"name {spelling[:PREFIX]}"


def _begins(word: str, known: str) -> bool:
    return any(
        known.startswith(spelling) if len(spelling) >= PREFIX else known == spelling
        for spelling in _spellings(word)
    )


def _words(name: str | None) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFC", name or "").casefold())


def _spellings(word: str) -> set[str]:
    """Without accents; an umlaut as one letter and as two: Müller is found as Muller and as Mueller."""
    return {_without_accents(word), _without_accents(word.translate(_UMLAUTS))}


def _without_accents(word: str) -> str:
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter)
    )
