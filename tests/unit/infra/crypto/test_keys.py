"""The separation that the clinic's keys ensure: by use, patient, field and clinic."""

from base64 import urlsafe_b64encode
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import TypeAdapter

from contracts.fields import Ciphertext
from infra.crypto.sealing import Column, DataKey, SealingKey
from infra.errors import MisconfiguredError
from infra.keys import Keys
from infra.settings import Settings

KEYS, OTHER_KEYS = Keys(bytes(32)), Keys(b"\x01" * 32)
PATIENT, OTHER_PATIENT = UUID(int=1), UUID(int=2)
DATA_KEY = DataKey(b"\x02" * 32)
NAME, REASON = Column("people.patients", "name", "name"), Column("booking.appointments", "reason", "reason")


def _load(master_key_file: Path) -> Keys:
    return Keys.load(Settings(master_key_file=master_key_file, storage_key_dir=master_key_file.parent))


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


class TestMasterKeyFile:
    def test_64_hex_digits_are_a_master_key(self, tmp_path: Path) -> None:
        file = tmp_path / "master.key"
        file.write_text("00" * 32 + "\n")

        assert _load(file).fingerprint({"a": 1}) == KEYS.fingerprint({"a": 1})

    @pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "x" * 64, "secret"])
    def test_anything_else_is_an_error_that_does_not_show_it(self, content: str, tmp_path: Path) -> None:
        file = tmp_path / "master.key"
        file.write_text(content)

        with pytest.raises(MisconfiguredError, match="does not hold the master key") as caught:
            _load(file)
        assert not content or content not in str(caught.value)

    def test_so_is_a_file_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(MisconfiguredError, match="does not hold the master key"):
            _load(tmp_path / "none")

    def test_so_is_a_file_that_is_not_text(self, tmp_path: Path) -> None:
        file = tmp_path / "master.key"
        file.write_bytes(b"\xff" * 32)

        with pytest.raises(MisconfiguredError, match="does not hold the master key"):
            _load(file)


class TestFingerprint:
    def test_it_is_the_same_for_the_same_request(self) -> None:
        asked = {"doctor_id": "d", "hours": [{"weekday": 1}], "reason": None}

        assert KEYS.fingerprint(asked) == KEYS.fingerprint(dict(reversed(asked.items())))
        assert len(bytes.fromhex(KEYS.fingerprint(asked))) == 16

    @pytest.mark.parametrize(
        "other",
        [{}, {"a": 2}, {"a": "1"}, {"a": None}, {"a": True}, {"a": [1]}, {"b": 1}, {"a": 1, "b": None}],
    )
    def test_it_differs_for_another_request(self, other: dict[str, object]) -> None:
        assert KEYS.fingerprint({"a": 1}) != KEYS.fingerprint(other)

    def test_it_cannot_be_made_without_the_key(self) -> None:
        assert KEYS.fingerprint({"a": 1}) != OTHER_KEYS.fingerprint({"a": 1})

    def test_it_never_changes(self) -> None:
        # It is on the log: a repeated key has to be recognised by it after years.
        assert KEYS.fingerprint({"starts_at": "2026-03-09T08:00:00Z"}) == "19f69fc8405fbfaae441b840018235d4"


class TestDataKeys:
    def test_a_patients_key_is_stored_wrapped(self) -> None:
        data_key, wrapped = KEYS.new_data_key(PATIENT)

        assert KEYS.unwrap(PATIENT, wrapped).open(data_key.seal(b"x", NAME, PATIENT), NAME, PATIENT) == b"x"

    def test_every_patient_has_its_own(self) -> None:
        mine, _ = KEYS.new_data_key(PATIENT)
        others, _ = KEYS.new_data_key(PATIENT)

        with pytest.raises(InvalidTag):
            others.open(mine.seal(b"x", NAME, PATIENT), NAME, PATIENT)

    def test_another_master_key_does_not_unwrap_it(self) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)

        with pytest.raises(MisconfiguredError, match="another master key"):
            OTHER_KEYS.unwrap(PATIENT, wrapped)

    def test_it_is_bound_to_its_patient(self) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)

        with pytest.raises(MisconfiguredError):
            KEYS.unwrap(OTHER_PATIENT, wrapped)

    @pytest.mark.parametrize("index", [0, 12, 59])
    def test_a_changed_byte_is_detected(self, index: int) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)
        changed = wrapped[:index] + bytes([wrapped[index] ^ 1]) + wrapped[index + 1 :]

        with pytest.raises(MisconfiguredError):
            KEYS.unwrap(PATIENT, changed)

    @pytest.mark.parametrize("length", [0, 11, 12, 27])
    def test_so_is_a_truncated_key(self, length: int) -> None:
        _, wrapped = KEYS.new_data_key(PATIENT)

        with pytest.raises(MisconfiguredError):
            KEYS.unwrap(PATIENT, wrapped[:length])


SEALING_KEYS = [DATA_KEY, DataKey(b"\x02" * 32, versioned=False)]


@pytest.mark.parametrize("key", SEALING_KEYS, ids=["versioned", "of an earlier release"])
class TestSealedText:
    @settings(deadline=None)
    @given(text=some.text())
    def test_it_can_be_opened_for_the_same_field(self, key: DataKey, text: str) -> None:
        assert key.open_text(key.seal_text(text, REASON, PATIENT), REASON, PATIENT) == text

    def test_but_for_no_other(self, key: DataKey) -> None:
        with pytest.raises(InvalidTag):
            key.open_text(key.seal_text("sore throat", REASON, PATIENT), NAME, PATIENT)

    def test_and_with_no_other_key(self, key: DataKey) -> None:
        with pytest.raises(InvalidTag):
            DataKey(b"\x03" * 32).open_text(key.seal_text("sore throat", REASON, PATIENT), REASON, PATIENT)

    def test_equal_texts_are_sealed_differently(self, key: DataKey) -> None:
        assert key.seal_text("sore throat", NAME, PATIENT) != key.seal_text("sore throat", NAME, PATIENT)

    def test_it_is_base64url_as_the_contract_requires(self, key: DataKey) -> None:
        longest = "😀" * 2000
        sealed = key.seal_text(longest, REASON, PATIENT)
        assert TypeAdapter(Ciphertext).validate_python(sealed) == sealed

    def test_every_flipped_bit_is_detected(self, key: DataKey) -> None:
        sealed = key.seal(b"sore throat", REASON, PATIENT)
        for bit in range(8 * len(sealed)):
            changed = bytearray(sealed)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(InvalidTag):
                key.open(bytes(changed), REASON, PATIENT)

    @pytest.mark.parametrize("sealed", ["", "A", "not sealed", "c2hvcnQ", "ä", "A" * 100])
    def test_a_text_that_was_never_sealed_is_an_error(self, key: DataKey, sealed: str) -> None:
        with pytest.raises(InvalidTag):
            key.open_text(sealed, REASON, PATIENT)


class TestVersionedValues:
    def test_name_their_key(self) -> None:
        key = SealingKey(b"\x02" * 32, b"\0\0\0\x07")

        assert key.seal(b"x", NAME, PATIENT)[:5] == b"\x01\0\0\0\x07"

    def test_belong_to_their_row(self) -> None:
        with pytest.raises(InvalidTag):
            DATA_KEY.open(DATA_KEY.seal(b"x", NAME, PATIENT), NAME, OTHER_PATIENT)

    @pytest.mark.parametrize("other", [NAME._replace(table="people.staff"), NAME._replace(name="phone")])
    def test_belong_to_their_table_and_column(self, other: Column) -> None:
        with pytest.raises(InvalidTag):
            DATA_KEY.open(DATA_KEY.seal(b"x", NAME, PATIENT), other, PATIENT)

    def test_do_not_hinder_reading_those_of_earlier_releases(self) -> None:
        former = SEALING_KEYS[1].seal(b"x", NAME, PATIENT)

        assert DATA_KEY.open(former, NAME, PATIENT) == b"x"
        assert not DATA_KEY.is_current(former)

    def test_can_be_read_by_a_key_that_makes_none(self) -> None:
        assert SEALING_KEYS[1].open(DATA_KEY.seal(b"x", NAME, PATIENT), NAME, PATIENT) == b"x"


def test_each_use_has_a_key_of_its_own() -> None:
    """The same bytes as a fingerprint and as an address give unrelated values."""
    assert KEYS.indexes.address_index("{}", 0)[:16].hex() != KEYS.fingerprint({})


class TestLinksThatEndReminders:
    def test_a_link_identifies_its_patient_and_never_changes(self) -> None:
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
    def test_nor_guessed(self, text: str) -> None:
        assert KEYS.open_unsubscribe(text) is None
