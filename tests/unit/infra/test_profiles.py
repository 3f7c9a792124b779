"""Profiles are encrypted, and can be decrypted for as long as there are patients."""

import json
from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from infra.crypto.sealing import DataKey
from storage.profiles import PROFILE, Profile, open_profile, seal_profile

KEY, OTHER_KEY = DataKey(b"\x01" * 32), DataKey(b"\x02" * 32)
PATIENT = UUID(int=1)
ADA = Profile("ada@example.org", "Ada", "+49301234567", "1956-07-04", "de", "sms", reminders=False)


def test_an_encrypted_profile_can_be_opened() -> None:
    assert open_profile(KEY, PATIENT, seal_profile(KEY, PATIENT, ADA)) == ADA


def test_only_with_the_patients_key() -> None:
    sealed = seal_profile(KEY, PATIENT, ADA)

    assert b"ada" not in sealed
    with pytest.raises(InvalidTag):
        open_profile(OTHER_KEY, PATIENT, sealed)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"email": "a@b"}, Profile("a@b", None, None, None, "en", "mail", reminders=True)),
        (
            {"email": "a@b", "name": "A", "phone": "+49 (30) 1", "language": "de"},
            Profile("a@b", "A", "+49 (30) 1", None, "de", "mail", reminders=True),
        ),
        ({"email": "a@b", "from_the_future": [1]}, Profile("a@b", others={"from_the_future": [1]})),
    ],
)
def test_profiles_of_other_releases_open(content: dict[str, object], expected: Profile) -> None:
    former = DataKey(b"\x01" * 32, versioned=False)
    sealed = former.seal(json.dumps(content).encode(), PROFILE, PATIENT)
    assert open_profile(KEY, PATIENT, sealed) == expected


def test_what_only_a_newer_release_knows_is_kept() -> None:
    newer = {"email": "a@b", "from_the_future": {"deep": [1]}}
    sealed = KEY.seal(json.dumps(newer).encode(), PROFILE, PATIENT)

    changed = replace(open_profile(KEY, PATIENT, sealed), name="A")
    kept = json.loads(KEY.open(seal_profile(KEY, PATIENT, changed), PROFILE, PATIENT))

    assert kept == kept | newer | {"name": "A"}
