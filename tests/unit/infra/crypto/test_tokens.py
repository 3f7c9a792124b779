"""A token identifies one person until it expires; anything else identifies nobody."""

import time
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.commands import Actor, ActorKind
from infra import tokens
from infra.signing_keys import SigningKeys, key_id
from infra.tokens import Access, Role, TokenChecker, issue_token
from tests.unit.infra.crypto.crafted_tokens import (
    HEADER,
    ID,
    KEY,
    KEYS,
    OTHER_KEY,
    PATIENT,
    SESSION,
    check,
    claims,
    signed,
)


@pytest.mark.parametrize("role", Role)
def test_a_token_identifies_its_person_and_login(role: Role) -> None:
    now_s = int(time.time())
    token = issue_token(
        KEY, ID, role, session_id=SESSION, authenticated_at_s=now_s - 60, methods=("otp", "mfa")
    )

    access = TokenChecker(KEYS).check(token)

    kind = ActorKind.PATIENT if role is Role.PATIENT else ActorKind.STAFF
    assert access is not None
    assert access == Access(
        Actor(kind=kind, id=ID), role, SESSION, now_s - 60, ("otp", "mfa"), access.expires_at_s
    )
    assert access.valid_for_s() == pytest.approx(900, abs=2)
    assert access.age_of_login_s() == pytest.approx(60, abs=2)


def test_it_is_a_jwt_of_the_profile_for_access_tokens() -> None:
    token = issue_token(KEY, ID, Role.PATIENT)

    payload = jwt.decode(token, KEY.public_key(), ["EdDSA"], audience="clinic")

    # RFC 9068, section 2; `sid` is OpenID Connect's.
    own = {"role", "sid"}
    assert payload.keys() == {"iss", "aud", "sub", "iat", "exp", "jti", "auth_time", "amr"} | own
    assert payload["exp"] - payload["iat"] == 900
    assert jwt.get_unverified_header(token) == HEADER


def test_no_token_can_be_issued_for_longer() -> None:
    with pytest.raises(AssertionError, match="no access token lives longer"):
        issue_token(KEY, ID, Role.PATIENT, valid_for=timedelta(minutes=15, seconds=1))


def test_the_examples_below_fail_only_for_what_they_change() -> None:
    assert check(signed(claims())) == PATIENT


def test_a_claim_that_only_a_newer_release_knows_is_ignored() -> None:
    assert check(signed(claims(acr="2"))) == PATIENT


def test_an_expired_token_identifies_nobody() -> None:
    assert check(issue_token(KEY, ID, Role.PATIENT, valid_for=timedelta(seconds=-1))) is None
    assert check(issue_token(KEY, ID, Role.PATIENT, valid_for=timedelta(0))) is None


class TestKeys:
    def test_a_token_signed_by_another_key_identifies_nobody(self) -> None:
        assert check(issue_token(OTHER_KEY, ID, Role.PATIENT)) is None

    def test_nor_does_it_under_the_id_of_a_known_key(self) -> None:
        assert check(signed(claims(), OTHER_KEY)) is None

    def test_every_key_of_the_set_counts_until_it_is_removed(self) -> None:
        keys = SigningKeys(OTHER_KEY, [KEY.public_key()])
        checker, token = TokenChecker(keys), issue_token(KEY, ID, Role.PATIENT)
        assert checker.check(token) is not None

        keys.public = SigningKeys(OTHER_KEY).public

        assert checker.check(token) is None

    def test_the_id_is_the_thumbprint(self) -> None:
        # RFC 8037, appendix A.3.
        x = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        known = Ed25519PublicKey.from_public_bytes(x)

        assert key_id(known) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


class TestRemembered:
    """A valid signature is verified once; the expiry is checked each time."""

    def test_a_remembered_token_still_expires(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checker = TokenChecker(KEYS)
        issued_at_s = int(time.time())
        token = issue_token(KEY, ID, Role.PATIENT)
        expires_at_s = jwt.decode(token, options={"verify_signature": False})["exp"]
        assert checker.check(token) is not None

        for at_s, is_valid in (
            (issued_at_s, True),
            (expires_at_s - 0.5, True),
            (expires_at_s, False),
            (expires_at_s + 1_000_000, False),
        ):
            monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda at_s=at_s: at_s))
            assert (checker.check(token) is not None) == is_valid

    def test_its_signature_is_checked_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        checker = TokenChecker(KEYS)
        token = issue_token(KEY, ID, Role.PATIENT)
        assert checker.check(token) is not None

        monkeypatch.setattr(checker, "_verified", lambda _: pytest.fail("checked again"))
        assert checker.check(token) is not None

    def test_a_bad_token_is_not_remembered_as_good(self) -> None:
        checker = TokenChecker(KEYS)
        forged = issue_token(OTHER_KEY, ID, Role.PATIENT)

        assert (checker.check(forged), checker.check(forged)) == (None, None)

    def test_a_bounded_number_is_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "REMEMBERED_MAX", 3)
        checker = TokenChecker(KEYS)
        ids = [UUID(int=number) for number in range(1, 11)]
        shown = [(issue_token(KEY, id_, Role.PATIENT), id_) for id_ in ids]

        for token, id_ in shown * 2:
            access = checker.check(token)
            assert access is not None
            assert access.actor.id == id_
        assert len(checker._remembered) <= 3
