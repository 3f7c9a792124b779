"""Certificates of the clinic's own authority: kept, renewed in time, private."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from infra.errors import MisconfiguredError
from ops.embedded.folder import DataFolder
from ops.embedded.tls import Tls
from ops.tls import certificates
from ops.tls.certificates import RENEWED_BEFORE_END, VALID, Authority

NAMES = ["127.0.0.1", "localhost"]


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path)


def test_the_authority_and_a_good_certificate_are_kept(folder: DataFolder) -> None:
    first = Tls(folder)
    kafka = first.certificate("kafka").read_bytes()

    again = Tls(folder)

    assert again.ca_file.read_bytes() == first.ca_file.read_bytes()
    assert again.certificate("kafka").read_bytes() == kafka
    assert again.certificate("postgres").read_bytes() != kafka


def test_one_that_ends_soon_is_renewed_by_the_next_start(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "VALID", RENEWED_BEFORE_END - timedelta(days=1))
    soon = Tls(folder).certificate("kafka").read_bytes()
    monkeypatch.setattr(certificates, "VALID", VALID)

    tls = Tls(folder)
    renewed = tls.certificate("kafka").read_bytes()

    assert renewed != soon
    authority = x509.load_pem_x509_certificate(tls.ca_file.read_bytes())
    x509.load_pem_x509_certificate(renewed).verify_directly_issued_by(authority)
    assert tls.certificate("kafka").read_bytes() == renewed


def test_no_client_refuses_it_for_its_length(folder: DataFolder) -> None:
    certificate = x509.load_pem_x509_certificate(Tls(folder).certificate("kafka").read_bytes())
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=825)


def test_all_files_are_private(folder: DataFolder) -> None:
    tls = Tls(folder)
    files = [tls.ca_file, tls.ca_file.with_name("ca.key"), tls.certificate("kafka")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(tls.ca_file.parent.stat().st_mode) == 0o700


def test_a_start_that_was_killed_between_the_two_files_is_made_good(tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    certificate.write_bytes(Authority.new().pem())

    authority = Authority.kept(certificate, key)

    assert certificate.read_bytes() == authority.pem()


def test_other_content_is_one_sentence(tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    Authority.kept(certificate, key)
    certificate.write_text("no certificate")
    with pytest.raises(MisconfiguredError, match="is not the authority"):
        Authority.kept(certificate, key)


def test_a_path_too_long_for_sockets_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="too long for the sockets"):
        DataFolder(tmp_path / ("x" * 100)).sockets()
