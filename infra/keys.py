"""Keys and their uses: receipts, fingerprints, blind indexes, encrypted text.

Each use has a separate key, derived from the master key (HKDF, RFC 5869), so that none reveals another. What
wraps the patients' data keys is not derived from it (`infra.crypto.epochs`), except in earlier releases.
"""

import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.receipt import Receipt
from infra import clock
from infra.crypto.blind_indexes import BlindIndexes
from infra.crypto.epochs import FORMER_EPOCH, Epochs, missing_key
from infra.crypto.sealing import (
    KEY_BYTES,
    KEY_ID_BYTES,
    MAC_BYTES,
    NONCE_BYTES,
    VERSION,
    Column,
    DataKey,
    SealingKey,
    from_base64url,
    to_base64url,
)
from infra.crypto.uses import (
    ADDRESS_LOCKS,
    CHALLENGES,
    FINGERPRINTS,
    FORMER_ADDRESSES,
    FORMER_WRAPPING,
    LOGIN_ACCOUNTS,
    NOTES,
    RECEIPTS,
    STAFF,
    UNSUBSCRIBING,
    derived_secrets,
    read_secrets,
    secret_of,
)
from infra.errors import MisconfiguredError
from infra.settings import Settings

PATIENT_ID_BYTES = 16
FORMER_WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + 16
DATA_KEY = Column("people.patients", "data_key", None)
NOTE = Column("booking.time_off", "note", "note")
CHALLENGE = Column("auth.challenges.v1", "secret", None)


class Keys:
    """The clinic's secrets, by use."""

    def __init__(self, master_key: bytes, epochs: Epochs | None = None) -> None:
        """`master_key` is 32 random bytes; without `epochs`, it also wraps data keys."""
        self._hold(derived_secrets(master_key), epochs or Epochs(None))

    def _hold(self, secrets: Mapping[str, bytes], epochs: Epochs) -> None:
        self._secrets = secrets
        self._epochs = epochs

    @classmethod
    def load(cls, settings: Settings) -> "Keys":
        """Read the master key, or the keys of some uses that stand for it, and the storage keys.

        Raises:
            MisconfiguredError: a file is missing or holds something else.
        """
        keys = cls.__new__(cls)
        keys._hold(read_secrets(settings.master_key_file), Epochs(settings.storage_key_dir))
        return keys

    def _secret(self, use: str) -> bytes:
        return secret_of(self._secrets, use)

    def sealing(self, use: str) -> SealingKey:
        """The key that seals for a use (`infra.crypto.uses`)."""
        # The releases before the first epoch of storage keys cannot read a version.
        return SealingKey(self._secret(use), versioned=self._epochs.newest() is not None)

    def sign_receipt(self, receipt: Receipt) -> str:
        """The receipt as a path segment: base64url; the last 16 bytes are a truncated HMAC-SHA256."""
        content = receipt.to_bytes()
        return to_base64url(content + self._receipt_mac(content))

    def open_receipt(self, text: str) -> Receipt | None:
        """The signed receipt; None if the signature is invalid or the version unknown."""
        signed = from_base64url(text)
        if signed is None or len(signed) <= MAC_BYTES:
            return None
        content, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        return Receipt.from_bytes(content) if hmac.compare_digest(mac, self._receipt_mac(content)) else None

    def sign_unsubscribe(self, patient_id: UUID) -> str:
        """The token in a patient's link to unsubscribe from reminders, base64url. It never expires (RFC
        8058)."""
        return to_base64url(patient_id.bytes + self._unsubscribe_mac(patient_id.bytes))

    def open_unsubscribe(self, text: str) -> UUID | None:
        """The patient of a token; None if the signature is invalid."""
        signed = from_base64url(text)
        if signed is None or len(signed) != PATIENT_ID_BYTES + MAC_BYTES:
            return None
        content, mac = signed[:PATIENT_ID_BYTES], signed[PATIENT_ID_BYTES:]
        return UUID(bytes=content) if hmac.compare_digest(mac, self._unsubscribe_mac(content)) else None

    def _unsubscribe_mac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret(UNSUBSCRIBING), content, "sha256")[:MAC_BYTES]

    def _receipt_mac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret(RECEIPTS), content, "sha256")[:MAC_BYTES]

    def fingerprint(self, request: Mapping[str, Any]) -> str:
        """A keyed hash of a request's content (JSON values and ids). 32 hexadecimal digits.

        Keyed, because it is on the log next to encrypted free text.
        """
        canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), default=str).encode()
        return hmac.digest(self._secret(FINGERPRINTS), canonical, "sha256")[:16].hex()

    @property
    def indexes(self) -> BlindIndexes:
        """Of the patients' addresses and search terms."""
        return BlindIndexes(self._epochs, self._secrets.get(FORMER_ADDRESSES))

    def address_lock(self, address: str) -> int:
        """The 64-bit number of the lock on a mail address, in its comparable form. The same in all epochs."""
        digest = hmac.digest(self._secret(ADDRESS_LOCKS), address.encode(), "sha256")
        return int.from_bytes(digest[:8], "big", signed=True)

    def seal_note(self, text: str | None, time_off_id: UUID) -> str | None:
        """Staff's note about no patient, encrypted for the log."""
        return None if text is None else self.sealing(NOTES).seal_text(text, NOTE, time_off_id)

    def open_note(self, sealed: str | None, time_off_id: UUID) -> str | None:
        """The inverse of `seal_note`."""
        return None if sealed is None else self.sealing(NOTES).open_text(sealed, NOTE, time_off_id)

    def login_account(self, address: str) -> bytes:
        """A keyed hash by which the logins of a mail address, in its comparable form, are counted."""
        return hmac.digest(self._secret(LOGIN_ACCOUNTS), address.encode(), "sha256")

    def seal_challenge(self, challenge_id: UUID, secret: bytes) -> bytes:
        """A login challenge's secret, encrypted for the notifier (`contracts.challenges`)."""
        return self.sealing(CHALLENGES).seal(secret, CHALLENGE, challenge_id)

    def open_challenge(self, challenge_id: UUID, sealed: bytes) -> bytes:
        """The inverse of `seal_challenge`.

        Raises:
            InvalidTag: it was encrypted with another master key, or for another challenge.
        """
        return self.sealing(CHALLENGES).open(sealed, CHALLENGE, challenge_id)

    def seal_staff(self, text: str, column: Column, staff_id: UUID) -> bytes:
        """A text of a member of staff's account, encrypted for its column."""
        return self.sealing(STAFF).seal(text.encode(), column, staff_id)

    def open_staff(self, sealed: bytes, column: Column, staff_id: UUID) -> str:
        """The inverse of `seal_staff`.

        Raises:
            InvalidTag: it was encrypted with another master key, or for another column or account.
        """
        return self.sealing(STAFF).open(sealed, column, staff_id).decode()

    def new_data_key(self, patient_id: UUID) -> tuple[DataKey, bytes]:
        """A fresh key for one patient's data, and the same wrapped for storage."""
        key = AESGCM.generate_key(8 * KEY_BYTES)
        wrapped = self._wrap(patient_id, key)
        return DataKey(key, versioned=epoch_of(wrapped) != FORMER_EPOCH), wrapped

    def unwrap(self, patient_id: UUID, wrapped: bytes) -> DataKey:
        """The patient's data key.

        Raises:
            MisconfiguredError: the key that wrapped it is not here, or it was wrapped for another patient.
        """
        key = self._unwrapped(patient_id, wrapped)
        return DataKey(key, versioned=epoch_of(wrapped) != FORMER_EPOCH)

    def rewrap(self, patient_id: UUID, wrapped: bytes) -> bytes:
        """The same data key, wrapped by the newest storage key. Raises as `unwrap`."""
        return self._wrap(patient_id, self._unwrapped(patient_id, wrapped))

    def _wrap(self, patient_id: UUID, key: bytes) -> bytes:
        newest = self._epochs.newest()
        if newest is not None:
            return newest.wrapping.seal(key, DATA_KEY, patient_id)
        nonce = clock.new_secret(NONCE_BYTES)
        return nonce + AESGCM(self._secret(FORMER_WRAPPING)).encrypt(nonce, key, patient_id.bytes)

    def _unwrapped(self, patient_id: UUID, wrapped: bytes) -> bytes:
        number = epoch_of(wrapped)
        epoch = self._epochs.get(number)
        if epoch is None and number != FORMER_EPOCH:
            raise missing_key(number)
        try:
            if epoch is not None:
                return epoch.wrapping.open(wrapped, DATA_KEY, patient_id)
            nonce, ciphertext = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
            return AESGCM(self._secret(FORMER_WRAPPING)).decrypt(nonce, ciphertext, patient_id.bytes)
        except (InvalidTag, ValueError):
            raise MisconfiguredError("The patients' data was encrypted with another master key.") from None


def epoch_of(wrapped: bytes) -> int:
    """The epoch of the storage key that wrapped this data key; `FORMER_EPOCH` if it was the master key."""
    if len(wrapped) == FORMER_WRAPPED_BYTES:
        return FORMER_EPOCH
    return int.from_bytes(wrapped[len(VERSION) : len(VERSION) + KEY_ID_BYTES], "big")
