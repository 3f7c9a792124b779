"""Keys, and what is made with them: receipts, fingerprints, address indexes, sealed text.

Each use has a key of its own, derived from the master key (HKDF, RFC 5869), so that none tells about another.
"""

import hmac
import json
import os
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.receipt import Receipt
from infra.errors import MisconfiguredError

MAC_BYTES = 16
PATIENT_ID_BYTES = 16
NONCE_BYTES = 12
NOTE_CONTEXT = "note"


class Keys:
    """The clinic's secrets, by use."""

    def __init__(self, master_key: bytes) -> None:
        """`master_key` is 32 random bytes."""
        self._receipts = _derived(master_key, "receipts")
        self._fingerprints = _derived(master_key, "fingerprints")
        self._addresses = _derived(master_key, "addresses")
        self._notes = DataKey(_derived(master_key, "staff's notes"))
        self._unsubscribing = _derived(master_key, "links that end reminders")
        self._challenges = DataKey(_derived(master_key, "login challenges"))
        self._wrapping = AESGCM(_derived(master_key, "patients' data keys"))

    @classmethod
    def load(cls, master_key_file: Path) -> "Keys":
        """Read the master key: 64 hexadecimal digits.

        Raises:
            MisconfiguredError: the file is missing or holds something else.
        """
        try:
            key = bytes.fromhex(master_key_file.read_text().strip())
        except (OSError, ValueError):
            key = b""
        if len(key) != 32:
            raise MisconfiguredError(f"{master_key_file} does not hold the master key (64 hex digits).")
        return cls(key)

    def sign_receipt(self, receipt: Receipt) -> str:
        """The receipt as a path segment: base64url, its last 16 bytes an HMAC-SHA256 cut short."""
        content = receipt.to_bytes()
        return _to_base64url(content + self._receipt_mac(content))

    def open_receipt(self, text: str) -> Receipt | None:
        """The receipt that was signed; None for anything else."""
        signed = _from_base64url(text)
        if signed is None or len(signed) <= MAC_BYTES:
            return None
        content, mac = signed[:-MAC_BYTES], signed[-MAC_BYTES:]
        return Receipt.from_bytes(content) if hmac.compare_digest(mac, self._receipt_mac(content)) else None

    def sign_unsubscribe(self, patient_id: UUID) -> str:
        """What a patient's link to end reminders ends with, base64url. It never expires (RFC 8058)."""
        return _to_base64url(patient_id.bytes + self._unsubscribe_mac(patient_id.bytes))

    def open_unsubscribe(self, text: str) -> UUID | None:
        """Whose reminders are to end; None for what was not signed."""
        signed = _from_base64url(text)
        if signed is None or len(signed) != PATIENT_ID_BYTES + MAC_BYTES:
            return None
        content, mac = signed[:PATIENT_ID_BYTES], signed[PATIENT_ID_BYTES:]
        return UUID(bytes=content) if hmac.compare_digest(mac, self._unsubscribe_mac(content)) else None

    def _unsubscribe_mac(self, content: bytes) -> bytes:
        return hmac.digest(self._unsubscribing, content, "sha256")[:MAC_BYTES]

    def _receipt_mac(self, content: bytes) -> bytes:
        return hmac.digest(self._receipts, content, "sha256")[:MAC_BYTES]

    def fingerprint(self, asked: Mapping[str, Any]) -> str:
        """A keyed hash of what a client asks for (JSON values and ids). 32 hexadecimal digits.

        Keyed, because it stands on the log beside free text that is sealed.
        """
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"), default=str).encode()
        return hmac.digest(self._fingerprints, canonical, "sha256")[:16].hex()

    def address_index(self, email: str) -> bytes:
        """What a mail address is found by; upper and lower case are one."""
        folded = unicodedata.normalize("NFKC", email.strip()).casefold().encode()
        return hmac.digest(self._addresses, folded, "sha256")

    def seal_note(self, text: str | None) -> str | None:
        """What staff write that belongs to no patient, sealed for the log."""
        return None if text is None else self._notes.seal_text(text, NOTE_CONTEXT)

    def open_note(self, sealed: str | None) -> str | None:
        """The inverse of `seal_note`."""
        return None if sealed is None else self._notes.open_text(sealed, NOTE_CONTEXT)

    def seal_challenge(self, challenge_id: UUID, secret: bytes) -> bytes:
        """What belongs to a login challenge, told to the notifier alone (`contracts.challenges`)."""
        return self._challenges.seal(secret, str(challenge_id))

    def open_challenge(self, challenge_id: UUID, sealed: bytes) -> bytes:
        """The inverse of `seal_challenge`.

        Raises:
            InvalidTag: it was sealed by another master key, or for another challenge.
        """
        return self._challenges.open(sealed, str(challenge_id))

    def new_data_key(self, patient_id: UUID) -> tuple["DataKey", bytes]:
        """A fresh key for one patient's data, and the same wrapped for storage."""
        key = AESGCM.generate_key(256)
        nonce = os.urandom(NONCE_BYTES)
        return DataKey(key), nonce + self._wrapping.encrypt(nonce, key, patient_id.bytes)

    def unwrap(self, patient_id: UUID, wrapped: bytes) -> "DataKey":
        """The patient's data key.

        Raises:
            MisconfiguredError: it was wrapped by another master key, or for another patient.
        """
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], patient_id.bytes)
        except (InvalidTag, ValueError):
            raise MisconfiguredError(
                "The master key is not the one the patients' data was sealed with."
            ) from None
        return DataKey(key)


class DataKey:
    """AES-256-GCM under one patient's key (NIST SP 800-38D). `context` binds a text to its place."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, content: bytes, context: str) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """The content that was sealed for this place.

        Raises:
            InvalidTag: it was not.
        """
        if len(sealed) < NONCE_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())

    def seal_text(self, text: str, context: str) -> str:
        """Sealed text for the log, base64url."""
        return _to_base64url(self.seal(text.encode(), context))

    def open_text(self, sealed: str, context: str) -> str:
        """The inverse of `seal_text`."""
        return self.open(_from_base64url(sealed) or b"", context).decode()


def _derived(master_key: bytes, use: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"clinic v1 {use}".encode()).derive(master_key)


def _to_base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes | None:
    if not text.isascii():
        return None
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # One spelling per value: no stray characters, no other last character that decodes alike.
    return content if _to_base64url(content) == text else None
