"""Nothing is sent to a server that cannot prove its identity."""

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from infra import clock
from infra.errors import MisconfiguredError
from infra.settings import Settings
from notifier.channels.mail import SmtpChannel
from notifier.main import running_notifier
from tests.notify.channels.smtp_server import SmtpServer
from tests.notify.office import bookings, office
from tests.waiting import until_async


class Authority:
    """A test's own certificate authority."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(True, None), critical=True
        )
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(own.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def certificate(self, host: x509.GeneralName, days: int = 2) -> Path:
        """A file with a key and a certificate for the host, valid from yesterday on."""
        key = generate_private_key(SECP256R1())
        builder = self._builder(x509.Name([]), key, days)
        signed = builder.add_extension(x509.SubjectAlternativeName([host]), critical=True).sign(
            self._key, SHA256()
        )
        file = self._directory / f"{clock.new_id().hex}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + signed.public_bytes(Encoding.PEM))
        return file

    def _builder(
        self, subject: x509.Name, key: EllipticCurvePrivateKey, days: int = 2
    ) -> x509.CertificateBuilder:
        yesterday = clock.now() - timedelta(days=1)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(yesterday)
            .not_valid_after(yesterday + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )


HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("mail.example.org")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_trusted_certificate_is_accepted(
    settings: Settings, template: str, tmp_path: Path, tls: str
) -> None:
    authority = Authority(tmp_path, "trusted")
    smtp = SmtpServer(tmp_path, tls=tls, certificate=authority.certificate(HERE))  # type: ignore[arg-type]
    async with office(settings, template, tmp_path, smtp) as tls_office:
        await tls_office.doctor()
        await tls_office.send(*bookings(await tls_office.patients(3)))
        async with running_notifier(tls_office.settings.model_copy(update={"smtp_ca_file": authority.file})):
            await tls_office.reaches("sent", 3)
        assert len(smtp.mails) == 3


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (lambda ours, other: other.certificate(HERE), "unable to get local issuer certificate"),
        (lambda ours, other: ours.certificate(ELSEWHERE), "IP address mismatch"),
        (lambda ours, other: ours.certificate(HERE, days=0), "expired"),
    ],
    ids=["of an unknown authority", "of another host", "expired"],
)
async def test_any_other_certificate_gets_nothing_and_no_notification_is_lost(
    settings: Settings,
    template: str,
    tmp_path: Path,
    tls: str,
    certificate: Callable[[Authority, Authority], Path],
    reason: str,
) -> None:
    ours, other = Authority(tmp_path, "trusted"), Authority(tmp_path, "other")
    smtp = SmtpServer(tmp_path, tls=tls, certificate=certificate(ours, other))  # type: ignore[arg-type]
    async with office(settings, template, tmp_path, smtp) as tls_office:

        async def is_reported() -> bool:
            rows = await tls_office.rows(kind="confirmation")
            return any((row["reason"] or "").startswith("its certificate is not trusted: ") for row in rows)

        await tls_office.doctor()
        await tls_office.send(*bookings(await tls_office.patients(1)))
        async with running_notifier(tls_office.settings.model_copy(update={"smtp_ca_file": ours.file})):
            await until_async(is_reported, "the reason is told", 60)
        [row] = await tls_office.rows(kind="confirmation")
        assert reason in row["reason"]
        assert (row["state"], row["tries"], row["sends"]) == ("planned", 0, 0)
        assert smtp.steps("mail") == 0


async def test_a_server_without_starttls_gets_nothing(
    settings: Settings, template: str, tmp_path: Path
) -> None:
    async with office(settings, template, tmp_path) as plain_office:
        await plain_office.doctor()
        await plain_office.send(*bookings(await plain_office.patients(1)))
        async with running_notifier(plain_office.settings.model_copy(update={"smtp_tls": "starttls"})):
            await plain_office.smtp.reaches("connect", 2)
        assert plain_office.smtp.steps("mail") == 0
        assert await plain_office.states(kind="confirmation") == [("confirmation", None, "planned")]


def test_a_file_without_certificates_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with pytest.raises(MisconfiguredError, match="does not hold certificates"):
        SmtpChannel(Settings(smtp_tls="starttls", smtp_ca_file=file))
