"""A token speaks for one person until it expires; whatever else is shown speaks for nobody."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.commands import Actor, ActorKind
from infra import tokens
from infra.tokens import TokenChecker, issue_token

KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(seed * 32) for seed in (b"\x01", b"\x02"))
PATIENT = Actor(kind=ActorKind.PATIENT, id=UUID("a0000000-0000-4000-8000-000000000001"))
QUARTER = timedelta(minutes=15)
NOT_GIVEN = object()


def check(token: str) -> Actor | None:
    return TokenChecker(KEY.public_key()).check(token)


def claims(**changed: Any) -> dict[str, Any]:
    """Those of a good token, some changed or left out."""
    now_s = int(time.time())
    good = {"iss": "clinic", "aud": "clinic", "sub": str(PATIENT.id), "role": "patient"}
    all_ = {**good, "iat": now_s, "exp": now_s + 900, **changed}
    return {name: value for name, value in all_.items() if value is not NOT_GIVEN}


def signed(payload: dict[str, Any], key: Ed25519PrivateKey = KEY, **header: Any) -> str:
    return jwt.encode(payload, key, algorithm="EdDSA", headers=header)


def part(content: bytes | dict[str, Any]) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("kind", ActorKind)
def test_a_token_speaks_for_whom_it_was_issued_to(kind: ActorKind) -> None:
    actor = Actor(kind=kind, id=PATIENT.id)

    assert check(issue_token(KEY, actor, QUARTER)) == actor


def test_it_is_a_jwt_that_says_who_and_until_when() -> None:
    payload = jwt.decode(issue_token(KEY, PATIENT, QUARTER), KEY.public_key(), ["EdDSA"], audience="clinic")

    assert payload.keys() == {"iss", "aud", "sub", "role", "iat", "exp"}
    assert payload["exp"] - payload["iat"] == 900


def test_the_examples_below_fail_for_what_they_change_alone() -> None:
    assert check(signed(claims())) == PATIENT


def test_an_expired_one_speaks_for_nobody() -> None:
    assert check(issue_token(KEY, PATIENT, timedelta(seconds=-1))) is None
    assert check(issue_token(KEY, PATIENT, timedelta(0))) is None


def test_one_of_another_key_speaks_for_nobody() -> None:
    assert check(issue_token(OTHER_KEY, PATIENT, QUARTER)) is None


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_an_unsigned_one_speaks_for_nobody(alg: str, signature: str) -> None:
    assert check(f"{part({'typ': 'JWT', 'alg': alg})}.{part(claims())}.{signature}") is None


PUBLIC = KEY.public_key()
PUBLIC_FORMS = {
    "raw": PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw),
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "OpenSSH": PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
}


@pytest.mark.parametrize("secret", PUBLIC_FORMS.values(), ids=PUBLIC_FORMS)
@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_the_public_key_is_no_shared_secret(secret: bytes, alg: str) -> None:
    content = f"{part({'typ': 'JWT', 'alg': alg})}.{part(claims())}"
    mac = hmac.digest(secret, content.encode(), "sha256")

    assert check(f"{content}.{part(mac)}") is None


def test_the_header_cannot_bring_its_own_key() -> None:
    jwk = jwt.algorithms.OKPAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True)

    assert check(signed(claims(), OTHER_KEY, jwk=jwk)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "pharmacy"},
        {"aud": []},
        {"aud": None},
        {"iss": "pharmacy"},
        {"role": "admin"},
        {"role": ["staff"]},
        {"role": None},
        {"sub": "me"},
        {"sub": ""},
        {"sub": 17},
        {"sub": None},
        {"exp": 0},
        {"exp": "tomorrow"},
        {"exp": None},
        {"iat": 32_503_680_000},
        {"iat": "yesterday"},
        {"nbf": 32_503_680_000},
    ],
    ids=repr,
)
def test_wrong_claims_speak_for_nobody(changed: dict[str, Any]) -> None:
    assert check(signed(claims(**changed))) is None


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "role", "iat", "exp"])
def test_a_missing_claim_is_not_made_up(missing: str) -> None:
    assert check(signed(claims(**{missing: NOT_GIVEN}))) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    token = issue_token(KEY, PATIENT, QUARTER)
    checker = TokenChecker(KEY.public_key())
    changed = [
        f"{token[:place]}{'B' if letter == 'A' else 'A'}{token[place + 1 :]}"
        for place, letter in enumerate(token)
    ]

    assert checker.check(token) == PATIENT
    assert [one for one in changed if checker.check(one) is not None] == []


@settings(deadline=None)
@given(some.text() | some.lists(some.binary().map(part), min_size=3, max_size=3).map(".".join))
def test_anything_else_speaks_for_nobody(text: str) -> None:
    assert check(text) is None


BAD_HEADERS = {
    "nested too deeply": b"[" * 50_000,
    "nested too deeply in a field": b'{"alg":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b"\xff",
    "a list of algorithms": b'{"alg":["EdDSA"]}',
    "an infinite one": b'{"alg":1e999}',
    "none at all": b"{}",
    "a huge number": b'{"alg":"EdDSA","n":' + b"9" * 5000 + b"}",
    "a key id that is none": b'{"alg":"EdDSA","kid":5}',
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_neither_does_one_whose_header_is_made_to_break_the_reader(header: bytes) -> None:
    assert check(f"{part(header)}.{part(claims())}.{part(bytes(64))}") is None


class TestRemembered:
    """A good signature is checked once; the clock is looked at each time."""

    def test_a_remembered_token_still_expires(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checker = TokenChecker(KEY.public_key())
        issued_at_s = int(time.time())
        token = issue_token(KEY, PATIENT, QUARTER)
        expires_at_s = jwt.decode(token, options={"verify_signature": False})["exp"]
        assert checker.check(token) == PATIENT

        for at_s, actor in (
            (issued_at_s, PATIENT),
            (expires_at_s - 0.5, PATIENT),
            (expires_at_s, None),
            (expires_at_s + 1_000_000, None),
        ):
            monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda at_s=at_s: at_s))
            assert checker.check(token) == actor

    def test_its_signature_is_checked_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checker = TokenChecker(KEY.public_key())
        token = issue_token(KEY, PATIENT, QUARTER)
        assert checker.check(token) == PATIENT

        monkeypatch.setattr(jwt, "decode", lambda *_, **__: pytest.fail("checked again"))
        assert checker.check(token) == PATIENT

    def test_a_bad_token_is_not_remembered_as_good(self) -> None:
        checker = TokenChecker(KEY.public_key())
        forged = issue_token(OTHER_KEY, PATIENT, QUARTER)

        assert (checker.check(forged), checker.check(forged)) == (None, None)

    def test_no_more_than_so_many_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "REMEMBERED_MAX", 3)
        checker = TokenChecker(KEY.public_key())
        actors = [Actor(kind=ActorKind.PATIENT, id=UUID(int=number)) for number in range(1, 11)]
        shown = [(issue_token(KEY, actor, QUARTER), actor) for actor in actors]

        assert all(checker.check(token) == actor for token, actor in shown * 2)
        assert len(checker._remembered) <= 3
