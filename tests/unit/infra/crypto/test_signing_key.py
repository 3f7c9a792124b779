"""The key that signs tokens is read from a file; the operator is told if the file is wrong."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from infra.errors import MisconfiguredError
from infra.signing_keys import load_signing_key

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)


def test_an_ed25519_key_in_pem_is_read(tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert load_signing_key(file).public_key() == KEY.public_key()


def test_anything_else_is_an_error(tmp_path: Path) -> None:
    other = rsa.generate_private_key(65537, 2048)
    for number, content in enumerate(
        (
            b"",
            b"secret",
            other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())[:60],
            KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        )
    ):
        file = tmp_path / str(number)
        file.write_bytes(content)
        with pytest.raises(MisconfiguredError, match="does not hold the signing key"):
            load_signing_key(file)


def test_so_is_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="does not hold the signing key"):
        load_signing_key(tmp_path / "none")


def test_so_is_a_key_behind_a_password(tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))

    with pytest.raises(MisconfiguredError, match="does not hold the signing key"):
        load_signing_key(file)
