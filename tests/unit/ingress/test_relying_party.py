"""The clinic checks what an authenticator says (WebAuthn, sections 7.1 and 7.2)."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest

from contracts.commands import Actor, ActorKind
from infra import clock
from infra.crypto.sealing import from_base64url, to_base64url
from infra.settings import Settings
from ingress.login.passkeys.relying_party import RelyingParty
from storage.login.passkeys import Credential, Kept
from tests.authenticator import Authenticator, Key

CLINIC = RelyingParty("clinic.example.org", "Clinic", "https://clinic.example.org")
CHALLENGE, OTHER_CHALLENGE = bytes(range(32)), bytes(32)
HANDLE = bytes(range(100, 132))
OWNER = Actor(kind=ActorKind.PATIENT, id=clock.new_id())


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(CLINIC.origin)


def creation(known: list[bytes] | None = None) -> Any:
    return CLINIC.registration_options(CHALLENGE, HANDLE, "ann@example.org", None, known or [])


def registered(response: Any, challenge: bytes = CHALLENGE) -> Credential | None:
    return CLINIC.registered(response, challenge, HANDLE)


def kept(authenticator: Authenticator) -> Kept:
    """The passkey that is registered of an authenticator."""
    credential = registered(authenticator.create(creation()))
    assert credential is not None
    return Kept(clock.new_id(), OWNER, HANDLE, credential.public_key, credential.synced)


def asserted(response: Any, passkey: Kept, challenge: bytes = CHALLENGE) -> int | None:
    return CLINIC.asserted(response, challenge, passkey)


class TestAddresses:
    @pytest.mark.parametrize(
        ("changed", "id_", "origin"),
        [
            ({"url": "http://127.0.0.1:8000"}, "localhost", "http://localhost:8000"),
            ({"url": "http://[::1]:8000"}, "localhost", "http://localhost:8000"),
            ({"url": "http://localhost:9"}, "localhost", "http://localhost:9"),
            ({"url": "https://clinic.example.org"}, "clinic.example.org", "https://clinic.example.org"),
            (
                {"url": "http://127.0.0.1:8000", "origin": "https://book.example.org:8443"},
                "book.example.org",
                "https://book.example.org:8443",
            ),
        ],
    )
    def test_passkeys_belong_to_the_domain_of_the_pages(
        self, changed: dict[str, Any], id_: str, origin: str
    ) -> None:
        party = RelyingParty.of(Settings(**changed))

        assert (party.id, party.origin, party.is_possible) == (id_, origin, True)

    def test_an_address_is_no_domain(self) -> None:
        assert not RelyingParty.of(Settings(url="https://192.0.2.7")).is_possible


class TestOptions:
    def test_a_key_is_discoverable_and_its_owner_recognised(self) -> None:
        options = creation([b"known" * 4])

        assert options["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        assert options["attestation"] == "none"
        assert options["rp"] == {"id": CLINIC.id, "name": "Clinic"}
        assert options["excludeCredentials"] == [
            {"id": to_base64url(b"known" * 4), "type": "public-key"},
        ]

    def test_a_login_names_nobody(self) -> None:
        options = CLINIC.login_options(CHALLENGE)

        assert options["allowCredentials"] == []
        assert options["userVerification"] == "required"
        assert from_base64url(options["challenge"]) == CHALLENGE


WRONG: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://clinic.example.com"},
    "an origin without TLS": {"origin": "http://clinic.example.org"},
    "a domain below": {"origin": "https://evil.clinic.example.org"},
    "another relying party": {"rp_id": "example.org"},
    "somebody whom it did not recognise": {"is_verified": False},
    "a frame of another page": {"is_framed": True},
    "another ceremony": {"type": "payment.get"},
}


class TestRegistration:
    def test_gives_the_public_key(self, authenticator: Authenticator) -> None:
        credential = registered(authenticator.create(creation()))

        [key] = authenticator.keys
        assert credential == Credential(key.id, key.cose(), 1, False, HANDLE)
        assert key.user_handle == HANDLE

    def test_says_if_the_key_may_be_copied(self, authenticator: Authenticator) -> None:
        credential = registered(authenticator.doing(is_synced=True).create(creation()))

        assert credential is not None
        assert credential.synced

    @pytest.mark.parametrize("name", WRONG)
    def test_is_refused_from(self, authenticator: Authenticator, name: str) -> None:
        assert registered(authenticator.doing(**WRONG[name]).create(creation())) is None

    def test_answers_its_challenge(self, authenticator: Authenticator) -> None:
        assert registered(authenticator.create(creation()), OTHER_CHALLENGE) is None

    def test_is_no_login(self, authenticator: Authenticator) -> None:
        authenticator.create(creation())
        assert registered(authenticator.get(CLINIC.login_options(CHALLENGE))) is None

    @pytest.mark.parametrize(
        "attestation",
        [
            b"",
            b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"\x81" * 20_000,
            cbor2.dumps([]),
            cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": 7}),
            cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": bytes(37)}),
            cbor2.dumps({"fmt": ["none"], "attStmt": None, "authData": bytes(200)}),
        ],
        ids=range(7),
    )
    def test_of_garbage_is_refused(self, authenticator: Authenticator, attestation: bytes) -> None:
        response = authenticator.create(creation())
        response["response"]["attestationObject"] = to_base64url(attestation)
        assert registered(response) is None

    def test_has_one_id(self, authenticator: Authenticator) -> None:
        response, other = authenticator.create(creation()), authenticator.create(creation())
        for names in (("id",), ("id", "rawId")):
            changed = response | {name: other[name] for name in names}
            assert registered(changed) is None


class TestAssertion:
    @pytest.mark.parametrize("is_synced", [False, True])
    def test_says_how_often_the_key_was_used(self, authenticator: Authenticator, is_synced: bool) -> None:
        authenticator = authenticator.doing(is_synced=is_synced)
        passkey = kept(authenticator)

        counts = [asserted(authenticator.get(CLINIC.login_options(CHALLENGE)), passkey) for _ in range(2)]

        assert counts == [2, 3]

    def test_may_have_no_count(self, authenticator: Authenticator) -> None:
        authenticator = authenticator.doing(counts=False)
        passkey = kept(authenticator)
        assert asserted(authenticator.get(CLINIC.login_options(CHALLENGE)), passkey) == 0

    @pytest.mark.parametrize("name", WRONG)
    def test_is_refused_from(self, authenticator: Authenticator, name: str) -> None:
        passkey = kept(authenticator)
        response = authenticator.doing(**WRONG[name]).get(CLINIC.login_options(CHALLENGE))
        assert asserted(response, passkey) is None

    def test_answers_its_challenge(self, authenticator: Authenticator) -> None:
        passkey = kept(authenticator)
        response = authenticator.get(CLINIC.login_options(CHALLENGE))
        assert asserted(response, passkey, OTHER_CHALLENGE) is None

    @pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
    def test_is_signed_whole(self, authenticator: Authenticator, part: str) -> None:
        passkey = kept(authenticator)
        response = authenticator.get(CLINIC.login_options(CHALLENGE))
        for changed in (flipped(response["response"][part]), "", "AA"):
            parts = response["response"] | {part: changed}
            assert asserted(response | {"response": parts}, passkey) is None
        assert asserted(response, passkey) is not None

    def test_of_another_key_is_refused(self, authenticator: Authenticator) -> None:
        passkey = kept(authenticator)
        theirs = Authenticator(CLINIC.origin)
        kept(theirs)
        [mine], [other] = authenticator.keys, theirs.keys
        forged = Key(mine.id, other.private, mine.user_handle)
        assert asserted(authenticator.get(CLINIC.login_options(CHALLENGE), forged), passkey) is None

    def test_names_the_owner(self, authenticator: Authenticator) -> None:
        passkey = kept(authenticator)
        response = authenticator.get(CLINIC.login_options(CHALLENGE))
        del response["response"]["userHandle"]
        assert asserted(response, passkey) is None
        [key] = authenticator.keys
        key.user_handle = bytes(32)
        assert asserted(authenticator.get(CLINIC.login_options(CHALLENGE)), passkey) is None

    def test_does_not_become_one_that_may_be_copied(self, authenticator: Authenticator) -> None:
        passkey = kept(authenticator)
        response = authenticator.get(CLINIC.login_options(CHALLENGE))
        assert asserted(response, replace(passkey, synced=True)) is None


def flipped(text: str) -> str:
    content = from_base64url(text)
    assert content is not None
    return to_base64url(content[:-1] + bytes([content[-1] ^ 1]))
