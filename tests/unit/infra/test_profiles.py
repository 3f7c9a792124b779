"""Profiles are sealed, and open for as long as there are patients."""

import json

import pytest
from cryptography.exceptions import InvalidTag

from infra.keys import DataKey
from infra.profiles import CONTEXT, Profile, open_profile, seal_profile

KEY, OTHER_KEY = DataKey(b"\x01" * 32), DataKey(b"\x02" * 32)
ADA = Profile("ada@example.org", "Ada", "+49301234567", "de", "sms", reminders=False)


def test_what_was_sealed_opens() -> None:
    assert open_profile(KEY, seal_profile(KEY, ADA)) == ADA


def test_nobody_else_opens_it() -> None:
    sealed = seal_profile(KEY, ADA)

    assert b"ada" not in sealed
    with pytest.raises(InvalidTag):
        open_profile(OTHER_KEY, sealed)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"email": "a@b"}, Profile("a@b", None, None, "en", "mail", reminders=True)),
        (
            {"email": "a@b", "name": "A", "phone": "+49 (30) 1", "language": "de"},
            Profile("a@b", "A", "+49 (30) 1", "de", "mail", reminders=True),
        ),
        ({"email": "a@b", "from_the_future": 1}, Profile("a@b")),
    ],
)
def test_profiles_of_other_times_open(content: dict[str, object], expected: Profile) -> None:
    assert open_profile(KEY, KEY.seal(json.dumps(content).encode(), CONTEXT)) == expected
