"""A search finds whoever has all that is sought, and its terms lead to all of them."""

import pytest

from infra.crypto import blind_indexes
from storage.profiles import Profile
from storage.search_terms import WORDS_MAX, Sought, terms_of

ADA = Profile("Ada@example.org", "Ada Müller-Weiß", "+49301234567", birth_date="1956-07-04")
LI = Profile("li@example.org", "Li Ng O'Brien")
NOBODY = Profile("nobody@example.org")


@pytest.mark.parametrize(
    ("profile", "sought"),
    [
        (ADA, Sought(name="ada")),
        (ADA, Sought(name="ADA")),
        (ADA, Sought(name="Müll")),
        (ADA, Sought(name="Mu\u0308ll")),
        (ADA, Sought(name="muller ada")),
        (ADA, Sought(name="Mueller")),
        (ADA, Sought(name="weiss")),
        (ADA, Sought(name="Weiß, Ada")),
        (Profile("a@b.c", "Jose Nunez"), Sought(name="José Núñez")),
        (Profile("a@b.c", "Ада Лавлейс"), Sought(name="лав")),
        (Profile("a@b.c", "王小明"), Sought(name="王小明")),
        (LI, Sought(name="Li")),
        (LI, Sought(name="o'brien")),
        (Profile("a@b.c", " ".join("abcdefghijkl")), Sought(name=" ".join("lkjihgfedcba"))),
        (ADA, Sought(phone="+49301234567")),
        (ADA, Sought(birth_date="1956-07-04")),
        (ADA, Sought(email="ada@EXAMPLE.org")),
        (ADA, Sought("ada@example.org", "+49301234567", "1956-07-04", "ada")),
    ],
)
def test_finds(profile: Profile, sought: Sought) -> None:
    assert sought.matches(profile)
    assert all(group & terms_of(profile) for group in sought.groups())
    assert len(sought.groups()) <= WORDS_MAX + 2


@pytest.mark.parametrize(
    ("profile", "sought"),
    [
        (ADA, Sought(name="Adam")),
        (ADA, Sought(name="ad")),
        (ADA, Sought(name="da")),
        (LI, Sought(name="L")),
        (Profile("a@b.c", "Lily"), Sought(name="li")),
        (ADA, Sought(name="Ada Schmidt")),
        (ADA, Sought(name="…")),
        (ADA, Sought(phone="+49301234568")),
        (ADA, Sought(birth_date="1956-07-05")),
        (ADA, Sought(email="ada@example.com")),
        (ADA, Sought(phone="+49301234567", name="Bob")),
        (NOBODY, Sought(name="ada")),
        (NOBODY, Sought(phone="+49301234567")),
        (NOBODY, Sought(birth_date="1956-07-04")),
    ],
)
def test_does_not_find(profile: Profile, sought: Sought) -> None:
    assert not sought.matches(profile)


def test_many_patients_share_a_term_and_another_key_gives_other_terms() -> None:
    phones = [f"phone +4930{number:07}" for number in range(20_000)]
    terms = [next(iter(blind_indexes.search_terms(b"k" * 32, [phone]))) for phone in phones]
    shared = [terms.count(term) for term in set(terms)]

    assert max(terms) < 2**blind_indexes.CUT_BITS
    assert min(shared) > 1 or sum(count == 1 for count in shared) < len(shared) / 20
    assert sum(shared) / len(shared) > 4
    same = sum(blind_indexes.search_terms(b"o" * 32, [phones[at]]) == {terms[at]} for at in range(200))
    assert same < 5
