"""`clinic keys`: create the key files that the settings name, and rotate the keys of access tokens."""

import os
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from infra import clock
from infra.crypto.epochs import Epoch, Epochs, epoch_file
from infra.crypto.sealing import KEY_BYTES
from infra.errors import MisconfiguredError
from infra.settings import Settings
from infra.signing_keys import SigningKeys, key_id, pem_blocks

# Their tokens are valid for minutes; nobody rotates more often.
EARLIER_MAX = 2


def init(settings: Settings) -> list[tuple[Path, bool]]:
    """Create missing key files, mode 0600; existing ones are not changed.

    Returns each file and whether it was created.

    Raises:
        MisconfiguredError: a file cannot be written.
    """
    signing, audit, master = settings.signing_key_file, settings.audit_key_file, settings.master_key_file
    events = settings.events_key_file
    try:
        return [
            (signing, keep(signing, new_signing_keys())),
            (audit, keep(audit, new_ed25519_key())),
            (master, keep(master, new_secret_key())),
            (events, keep(events, new_secret_key())),
            (settings.storage_key_dir, keep_first_epoch(settings.storage_key_dir)),
        ]
    except OSError as error:
        raise MisconfiguredError(f"The key file cannot be written: {error}.") from None


def rotate(settings: Settings, *, drop_old: bool = False) -> tuple[str, str]:
    """Let the next key sign access tokens, and add a new next one. Returns the ids of both.

    The key that signed until now stays in the file as a public key: its tokens are valid until they expire.
    `drop_old` makes both keys anew and forgets the earlier ones: for keys that somebody else may have.

    Raises:
        MisconfiguredError: the file cannot be read or written.
    """
    path = settings.signing_key_file
    keys = SigningKeys.load(path)
    blocks = pem_blocks(path.read_bytes())
    private = [block for block in blocks if b"PRIVATE KEY" in block]
    earlier = [block for block in blocks if b"PRIVATE KEY" not in block]
    signed_until_now = keys.signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if drop_old:
        new = [new_ed25519_key(), new_ed25519_key()]
    else:
        signs = private[1] if len(private) > 1 else new_ed25519_key()
        new = [signs, new_ed25519_key(), signed_until_now, *earlier[: EARLIER_MAX - 1]]
    try:
        write_private(path, b"".join(new))
    except OSError as error:
        raise MisconfiguredError(f"The key file cannot be written: {error}.") from None
    signing, following = (_id_of(block) for block in new[:2])
    return signing, following


def _id_of(private: bytes) -> str:
    key = load_pem_private_key(private, password=None)
    assert isinstance(key, Ed25519PrivateKey), "made or read as one"
    return key_id(key.public_key())


def new_signing_keys() -> bytes:
    """Two private keys for access tokens (`infra.signing_keys`): the one that signs, and the next one."""
    return new_ed25519_key() + new_ed25519_key()


def new_ed25519_key() -> bytes:
    """A private key, PKCS #8 PEM (RFC 8410)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_secret_key() -> bytes:
    """32 random bytes in hex."""
    return clock.new_secret(KEY_BYTES).hex().encode()


def new_epoch(number: int, at: datetime) -> Epoch:
    """A random storage key."""
    return Epoch(number, at, clock.new_secret(KEY_BYTES))


def keep_first_epoch(folder: Path) -> bool:
    """Make a storage key in a folder that has none. Returns True if it was made."""
    if Epochs(folder).newest() is not None:
        return False
    return keep(epoch_file(folder, 1), new_epoch(1, clock.now()).to_json())


def keep(path: Path, content: bytes) -> bool:
    """Write the file and its folder (mode 0700) unless the file exists. Returns True if it was written."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(path, content.rstrip() + b"\n")
    return True


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that a power cut undoes no creation, replacement or removal of a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
