"""What the clinic's keys keep apart: uses, patients, places, clinics."""

from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import TypeAdapter

from contracts.fields import Ciphertext
from infra.errors import MisconfiguredError
from infra.keys import DataKey, Keys

KEYS, OTHER_KEYS = Keys(bytes(32)), Keys(b"\x01" * 32)
PATIENT, OTHER_PATIENT = UUID(int=1), UUID(int=2)
DATA_KEY = DataKey(b"\x02" * 32)


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


class TestMasterKeyFile:
    def test_64_hex_digits_are_a_master_key(self, tmp_path: Path) -> None:
        file = tmp_path / "master.key"
        file.write_text("00" * 32 + "\n")

        assert Keys.load(file).address_index("a@b.c") == KEYS.address_index("a@b.c")

    @pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "x" * 64, "secret"])
    def test_anything_else_is_told_without_showing_it(self, content: str, tmp_path: Path) -> None:
        file = tmp_path / "master.key"
        file.write_text(content)

        with pytest.raises(MisconfiguredError, match="does not hold the master key") as caught:
            Keys.load(file)
        assert not content or content not in str(caught.value)

    def test_so_is_a_file_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(MisconfiguredError, match="does not hold the master key"):
            Keys.load(tmp_path / "none")

    def test_so_is_a_file_that_is_not_text(self, tmp_path: Path) -> None:
        file = tmp_path / "master.key"
        file.write_bytes(b"\xff" * 32)

        with pytest.raises(MisconfiguredError, match="does not hold the master key"):
            Keys.load(file)


class TestFingerprint:
    def test_it_is_the_same_for_the_same_request(self) -> None:
        asked = {"doctor_id": "d", "hours": [{"weekday": 1}], "reason": None}

        assert KEYS.fingerprint(asked) == KEYS.fingerprint(dict(reversed(asked.items())))
        assert len(bytes.fromhex(KEYS.fingerprint(asked))) == 16

    @pytest.mark.parametrize(
        "other",
        [{}, {"a": 2}, {"a": "1"}, {"a": None}, {"a": True}, {"a": [1]}, {"b": 1}, {"a": 1, "b": None}],
    )
    def test_and_another_for_another(self, other: dict[str, object]) -> None:
        assert KEYS.fingerprint({"a": 1}) != KEYS.fingerprint(other)

    def test_it_cannot_be_made_without_the_key(self) -> None:
        assert KEYS.fingerprint({"a": 1}) != OTHER_KEYS.fingerprint({"a": 1})

    def test_it_is_the_same_for_ever(self) -> None:
        # It stands on the log; a repeated key has to be known by it after years.
        assert KEYS.fingerprint({"starts_at": "2026-03-09T08:00:00Z"}) == "19f69fc8405fbfaae441b840018235d4"


class TestAddressIndex:
    @pytest.mark.parametrize(
        "spelling",
        ["Ada.Holm@Example.org", "ADA.HOLM@EXAMPLE.ORG", " ada.holm@example.org\n", "ａda.holm@example.org"],
    )
    def test_an_address_is_found_however_it_is_typed(self, spelling: str) -> None:
        assert KEYS.address_index(spelling) == KEYS.address_index("ada.holm@example.org")

    def test_accents_may_be_typed_in_two_ways(self) -> None:
        assert KEYS.address_index("jos\u00e9@example.org") == KEYS.address_index("JOSE\u0301@example.org")

    def test_sharp_s_and_its_capitals_are_one(self) -> None:
        assert KEYS.address_index("groß@example.org") == KEYS.address_index("GROSS@example.org")

    @pytest.mark.parametrize("other", ["ada.holm@example.com", "adaholm@example.org", "adá.holm@example.org"])
    def test_another_address_is_another(self, other: str) -> None:
        assert KEYS.address_index(other) != KEYS.address_index("ada.holm@example.org")

    def test_nobody_can_look_addresses_up_without_the_key(self) -> None:
        assert KEYS.address_index("a@b.c") != OTHER_KEYS.address_index("a@b.c")


class TestDataKeys:
    def test_a_patients_key_is_kept_wrapped(self) -> None:
        data_key, wrapped = KEYS.new_data_key(PATIENT)

        assert KEYS.unwrap(PATIENT, wrapped).open(data_key.seal(b"x", "name"), "name") == b"x"

    def test_every_patient_has_another(self) -> None:
        mine, _ = KEYS.new_data_key(PATIENT)
        others, _ = KEYS.new_data_key(PATIENT)

        with pytest.raises(InvalidTag):
            others.open(mine.seal(b"x", "name"), "name")

    def test_another_master_key_does_not_unwrap_it(self) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)

        with pytest.raises(MisconfiguredError, match="master key is not the one"):
            OTHER_KEYS.unwrap(PATIENT, wrapped)

    def test_it_is_bound_to_its_patient(self) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)

        with pytest.raises(MisconfiguredError):
            KEYS.unwrap(OTHER_PATIENT, wrapped)

    @pytest.mark.parametrize("place", [0, 12, 59])
    def test_a_changed_byte_is_noticed(self, place: int) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)
        changed = wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]

        with pytest.raises(MisconfiguredError):
            KEYS.unwrap(PATIENT, changed)

    @pytest.mark.parametrize("length", [0, 11, 12, 27])
    def test_so_is_a_key_cut_short(self, length: int) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)

        with pytest.raises(MisconfiguredError):
            KEYS.unwrap(PATIENT, wrapped[:length])


class TestSealedText:
    @settings(deadline=None)
    @given(some.text(), some.text(max_size=20))
    def test_what_is_sealed_can_be_opened_in_its_place(self, text: str, context: str) -> None:
        assert DATA_KEY.open_text(DATA_KEY.seal_text(text, context), context) == text

    def test_but_in_no_other(self) -> None:
        with pytest.raises(InvalidTag):
            DATA_KEY.open_text(DATA_KEY.seal_text("sore throat", "reason 1"), "reason 2")

    def test_and_with_no_other_key(self) -> None:
        with pytest.raises(InvalidTag):
            DataKey(b"\x03" * 32).open_text(DATA_KEY.seal_text("sore throat", "reason 1"), "reason 1")

    def test_sealing_twice_tells_nothing(self) -> None:
        assert DATA_KEY.seal_text("sore throat", "r") != DATA_KEY.seal_text("sore throat", "r")

    def test_it_is_base64url_as_the_contract_wants_it(self) -> None:
        longest = "😀" * 2000
        sealed = DATA_KEY.seal_text(longest, "reason")
        assert TypeAdapter(Ciphertext).validate_python(sealed) == sealed

    def test_every_flipped_bit_is_noticed(self) -> None:
        sealed = DATA_KEY.seal(b"sore throat", "r")
        for bit in range(8 * len(sealed)):
            changed = bytearray(sealed)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InvalidTag):
                DATA_KEY.open(bytes(changed), "r")

    @pytest.mark.parametrize("sealed", ["", "A", "not sealed", "c2hvcnQ", "ä", "A" * 100])
    def test_what_was_never_sealed_is_told(self, sealed: str) -> None:
        with pytest.raises(InvalidTag):
            DATA_KEY.open_text(sealed, "r")


def test_each_use_has_a_key_of_its_own() -> None:
    """The same bytes, asked for as a fingerprint and as an address, tell nothing about each other."""
    assert KEYS.address_index("{}")[:16].hex() != KEYS.fingerprint({})


class TestLinksThatEndReminders:
    def test_a_link_tells_whose_they_are_and_is_the_same_for_ever(self) -> None:
        link = KEYS.sign_unsubscribe(PATIENT)

        assert KEYS.open_unsubscribe(link) == PATIENT
        assert KEYS.sign_unsubscribe(PATIENT) == link
        assert KEYS.sign_unsubscribe(OTHER_PATIENT) != link
        assert len(link) == 43
        TypeAdapter(Ciphertext).validate_python(link)

    def test_it_cannot_be_made_without_the_key(self) -> None:
        link = KEYS.sign_unsubscribe(PATIENT)
        other = KEYS.sign_unsubscribe(OTHER_PATIENT)

        assert OTHER_KEYS.open_unsubscribe(link) is None
        for forged in ("", link[:-1], link + "A", link + "=", other[:22] + link[22:], "ä", "A" * 43):
            assert KEYS.open_unsubscribe(forged) is None

    @given(text=some.text(max_size=60) | some.binary(min_size=32, max_size=32).map(_base64url))
    def test_nor_by_chance(self, text: str) -> None:
        assert KEYS.open_unsubscribe(text) is None
