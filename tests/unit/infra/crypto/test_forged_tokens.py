"""Tokens that an attacker makes identify nobody, and none is an internal error."""

import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as some

from infra.tokens import Role, TokenChecker, issue_token
from tests.unit.infra.crypto.crafted_tokens import (
    HEADER,
    HUGE,
    ID,
    KEY,
    KEYS,
    KID,
    NOT_GIVEN,
    PATIENT,
    check,
    claims,
    part,
    signed,
)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_an_unsigned_token_identifies_nobody(alg: str, signature: str) -> None:
    assert check(f"{part({**HEADER, 'alg': alg})}.{part(claims())}.{signature}") is None


PUBLIC = KEY.public_key()
PUBLIC_FORMS = {
    "raw": PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw),
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "OpenSSH": PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
}


@pytest.mark.parametrize("secret", PUBLIC_FORMS.values(), ids=PUBLIC_FORMS)
@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_the_public_key_does_not_work_as_a_shared_secret(secret: bytes, alg: str) -> None:
    content = f"{part({**HEADER, 'alg': alg})}.{part(claims())}"
    mac = hmac.digest(secret, content.encode(), "sha256")

    assert check(f"{content}.{part(mac)}") is None


HEADERS: dict[str, dict[str, Any]] = {
    "no type": {"typ": NOT_GIVEN},
    "an ID token's type": {"typ": "JWT"},
    "a refresh token's type": {"typ": "rt+jwt"},
    "no key": {"kid": NOT_GIVEN},
    "an unknown key": {"kid": "unknown"},
    "a key that is a path": {"kid": "../../dev/null"},
    "a key that is no text": {"kid": 5},
    "another algorithm": {"alg": "ES256"},
    "its own key instead": {"kid": "own", "jwk": jwt.algorithms.OKPAlgorithm.to_jwk(PUBLIC, as_dict=True)},
    "an extension that has to be understood": {"crit": ["b64"], "b64": False},
}


@pytest.mark.parametrize("changed", HEADERS.values(), ids=HEADERS)
def test_wrong_headers_identify_nobody(changed: dict[str, Any]) -> None:
    header = {name: value for name, value in {**HEADER, **changed}.items() if value is not NOT_GIVEN}

    assert check(signed(claims(), header=header)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "pharmacy"},
        {"aud": []},
        {"aud": ["clinic", "pharmacy"]},
        {"aud": None},
        {"iss": "pharmacy"},
        {"role": "system"},
        {"role": "root"},
        {"role": ["staff"]},
        {"role": None},
        {"sub": "me"},
        {"sub": ""},
        {"sub": 17},
        {"sub": None},
        {"sid": "session"},
        {"jti": None},
        {"amr": "otp"},
        {"auth_time": 32_503_680_000},
        {"exp": 0},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": None},
        {"iat": 32_503_680_000},
        {"iat": "yesterday"},
        {"iat": -1},
    ],
    ids=repr,
)
def test_wrong_claims_identify_nobody(changed: dict[str, Any]) -> None:
    assert check(signed(claims(**changed))) is None


@pytest.mark.parametrize("missing", sorted(claims()))
def test_a_missing_claim_gets_no_default(missing: str) -> None:
    assert check(signed(claims(**{missing: NOT_GIVEN}))) is None


class TestALifetimeBeyondAllLifetimes:
    def test_of_sixteen_minutes_is_refused(self) -> None:
        now_s = int(time.time())

        assert check(signed(claims(iat=now_s, exp=now_s + 900))) == PATIENT
        assert check(signed(claims(iat=now_s, exp=now_s + 901))) is None

    @pytest.mark.parametrize("exp", [HUGE, f"-{HUGE}", "9" * 5_000, "1e400", "1e308", "NaN", "Infinity"])
    @pytest.mark.parametrize("claim", ["exp", "iat", "auth_time"])
    def test_in_any_spelling_is_refused(self, exp: str, claim: str) -> None:
        text = json.dumps(claims(**{claim: "HERE"})).replace('"HERE"', exp)

        assert check(signed(text.encode())) is None


class TestDuplicates:
    @pytest.mark.parametrize(
        "second", ['"role":"admin"', '"sub":"b0000000-0000-4000-8000-000000000001"', '"exp":1']
    )
    def test_a_claim_that_is_there_twice_is_refused(self, second: str) -> None:
        text = json.dumps(claims())

        assert check(signed(text[:-1].encode() + f",{second}}}".encode())) is None
        assert check(signed(f"{{{second},{text[1:]}".encode())) is None

    def test_so_is_a_field_of_the_header(self) -> None:
        text = json.dumps(HEADER)

        assert check(signed(claims(), header=f'{{"alg":"none",{text[1:]}'.encode())) is None
        assert check(signed(claims(), header=f'{{"kid":"{KID}",{text[1:]}'.encode())) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    token = issue_token(KEY, ID, Role.PATIENT)
    checker = TokenChecker(KEYS)
    changed = [
        f"{token[:index]}{'B' if letter == 'A' else 'A'}{token[index + 1 :]}"
        for index, letter in enumerate(token)
    ]

    assert checker.check(token) is not None
    assert [changed_token for changed_token in changed if checker.check(changed_token) is not None] == []


@settings(deadline=None)
@given(some.text() | some.lists(some.binary().map(part), min_size=3, max_size=3).map(".".join))
def test_anything_else_identifies_nobody(text: str) -> None:
    assert check(text) is None


BAD_HEADERS = {
    "nested too deeply": b"[" * 2_000,
    "nested too deeply in a field": b'{"alg":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b"\xff",
    "a list of algorithms": b'{"alg":["EdDSA"]}',
    "an infinite one": b'{"alg":1e999}',
    "none at all": b"{}",
    "a huge number": b'{"alg":"EdDSA","n":' + b"9" * 2_000 + b"}",
    "very long": b'{"alg":"EdDSA","n":"' + b"9" * 100_000 + b'"}',
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_nor_does_a_header_that_attacks_the_parser(header: bytes) -> None:
    assert check(signed(claims(), header=header)) is None


@pytest.mark.parametrize("payload", [b"[" * 2_000, b"\xff", b"{}", b"[]", b"", b"null"])
def test_nor_does_a_payload_that_attacks_the_parser(payload: bytes) -> None:
    assert check(signed(payload)) is None
