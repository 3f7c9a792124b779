"""Sealed values: AES-256-GCM (NIST SP 800-38D), bound to the table, the column and the row that keep them.

A sealed value is

    version (1 byte, 0x01) | id of the key (4 bytes) | nonce (12 bytes) | ciphertext and tag (16 bytes)

and its additional data are the first five bytes and `<table>.<column>/<row>`. Values of earlier releases
begin with the nonce, and their additional data are a word for their use. They are still opened.
"""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VERSION = b"\x01"
KEY_ID_BYTES = 4
KEY_BYTES = 32
NONCE_BYTES = 12
MAC_BYTES = 16


class Column(NamedTuple):
    """The table and the column that a sealed value is kept in.

    `formerly` is the additional data of values without a version; None where it was the row.
    """

    table: str
    name: str
    formerly: str | None


class SealingKey:
    """A key that seals values. It has an id, by which a sealed value names it."""

    def __init__(self, key: bytes, key_id: bytes | None = None, *, versioned: bool = True) -> None:
        """`key` is 32 random bytes; `key_id` is derived from it unless given.

        `versioned`: values are sealed as described above, not as earlier releases did.
        """
        self._key = key
        self._cipher = AESGCM(key)
        self._header = VERSION + (key_id or expanded(key, "key id", KEY_ID_BYTES))
        self.versioned = versioned

    def seal(self, content: bytes, column: Column, row: UUID) -> bytes:
        """The content, sealed for this column and row."""
        nonce = os.urandom(NONCE_BYTES)
        if not self.versioned:
            return nonce + self._cipher.encrypt(nonce, content, _former_context(column, row))
        return self._header + nonce + self._cipher.encrypt(nonce, content, self._context(column, row))

    def open(self, sealed: bytes, column: Column, row: UUID) -> bytes:
        """The content that was sealed for this column and row.

        Raises:
            InvalidTag: it was not, or with another key.
        """
        if self.is_current(sealed):
            try:
                return self._decrypted(sealed[len(self._header) :], self._context(column, row))
            except InvalidTag:
                pass  # the first bytes of an earlier release's nonce may look like a header
        return self._decrypted(sealed, _former_context(column, row))

    def is_current(self, sealed: bytes) -> bool:
        """True if the value names this key: it was not sealed by an earlier release."""
        return sealed.startswith(self._header)

    def seal_text(self, text: str, column: Column, row: UUID) -> str:
        """Sealed text for the log, base64url."""
        return to_base64url(self.seal(text.encode(), column, row))

    def open_text(self, sealed: str, column: Column, row: UUID) -> str:
        """The inverse of `seal_text`."""
        return self.open(from_base64url(sealed) or b"", column, row).decode()

    def _context(self, column: Column, row: UUID) -> bytes:
        return self._header + f"{column.table}.{column.name}/{row}".encode()

    def _decrypted(self, sealed: bytes, context: bytes) -> bytes:
        if len(sealed) < NONCE_BYTES:
            raise InvalidTag
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)


class DataKey(SealingKey):
    """The key of one patient's data. Without it, nothing says what was sealed or confirms a guess at it."""

    def mac_text(self, text: str) -> str:
        """A keyed hash of a patient's text, 16 bytes in hex: for fingerprints, which outlive the text."""
        key = expanded(self._key, "texts in fingerprints")
        return hmac.digest(key, text.encode(), "sha256")[:MAC_BYTES].hex()


def expanded(key: bytes, use: str, length: int = KEY_BYTES) -> bytes:
    """A key for one use of a random key (HKDF-Expand, RFC 5869, section 2.3)."""
    return HKDFExpand(algorithm=SHA256(), length=length, info=f"clinic v2 {use}".encode()).derive(key)


def to_base64url(content: bytes) -> str:
    """Base64url without padding (RFC 4648, section 5)."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """The inverse; None for anything but the one encoding of its content."""
    if not text.isascii():
        return None
    try:
        content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # Only the canonical encoding: no stray characters, no other last character that decodes to the same
    # value.
    return content if to_base64url(content) == text else None


def _former_context(column: Column, row: UUID) -> bytes:
    return (str(row) if column.formerly is None else column.formerly).encode()
