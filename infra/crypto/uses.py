"""Uses of the master key, each with a key of its own (HKDF, RFC 5869)."""

import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from infra.crypto.sealing import KEY_BYTES
from infra.errors import MisconfiguredError

RECEIPTS = "receipts"
FINGERPRINTS = "fingerprints"
NOTES = "staff's notes"
UNSUBSCRIBING = "links that end reminders"
CHALLENGES = "login challenges"
LOGIN_ACCOUNTS = "accounts in counts of failed logins"
STAFF = "staff's accounts"
PASSKEY_CHALLENGES = "challenges of passkeys"
UNDOING = "links that undo a change of address"
ADDRESS_LOCKS = "locks of addresses"
LATER_USES = "later uses"
"""The key of uses that a file of keys by use does not list is derived from this one."""
USES = (RECEIPTS, FINGERPRINTS, NOTES, UNSUBSCRIBING, CHALLENGES, LATER_USES)
NOTIFIER_USES = (UNSUBSCRIBING, CHALLENGES)
FORMER_ADDRESSES, FORMER_WRAPPING = "addresses", "patients' data keys"
FORMER_USES = (FORMER_ADDRESSES, FORMER_WRAPPING)
"""Of the master key, in earlier releases. They go when no patient's data key needs them any more."""


def read_secrets(master_key_file: Path) -> Mapping[str, bytes]:
    """The key of each use: derived from 64 hexadecimal digits, or as a JSON object says.

    Raises:
        MisconfiguredError: the file is missing or holds something else.
    """
    try:
        text = master_key_file.read_text().strip()
        if text.startswith("{"):
            secrets: Mapping[str, bytes] = {use: bytes.fromhex(key) for use, key in json.loads(text).items()}
        else:
            secrets = derived_secrets(bytes.fromhex(text))
    except (OSError, ValueError, TypeError, AttributeError):
        secrets = {}
    if not secrets or any(len(secret) != KEY_BYTES for secret in secrets.values()):
        raise MisconfiguredError(f"{master_key_file} does not hold the master key (64 hex digits).")
    return secrets


def derived_secrets(master_key: bytes) -> Mapping[str, bytes]:
    """The key of each use of a master key of 32 bytes.

    Raises:
        ValueError: it has another length.
    """
    if len(master_key) != KEY_BYTES:
        raise ValueError("a master key has 32 bytes")
    return {use: _derived(master_key, use) for use in (*USES, *FORMER_USES)}


def secret_of(secrets: Mapping[str, bytes], use: str) -> bytes:
    """The key of a use.

    Raises:
        MisconfiguredError: there is none among these, which may be those that one service needs.
    """
    secret = secrets.get(use)
    if secret is None and use not in USES and use not in FORMER_USES and LATER_USES in secrets:
        secret = _derived(secrets[LATER_USES], use)
    if secret is None:
        raise MisconfiguredError(f"The master key's file has no key for this use: {use}.")
    return secret


def _derived(master_key: bytes, use: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"clinic v1 {use}".encode()).derive(master_key)
