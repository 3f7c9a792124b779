"""A certificate authority of the clinic's own, and the certificates of its servers and services."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra import clock
from infra.errors import MisconfiguredError
from ops.keys import write_private

AUTHORITY_VALID = timedelta(days=3650)
# Apple's and Chromium's limit for certificates of one's own authorities.
VALID = timedelta(days=825)
RENEWED_BEFORE_END = timedelta(days=60)
# Clocks of containers and clients differ a little.
CLOCK_SKEW = timedelta(hours=1)


class Authority:
    """Issues certificates of servers. Both PEM files belong to it: the key may not be known to any server."""

    def __init__(self, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def new(cls) -> "Authority":
        """A new one, for ten years."""
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clinic's own authority")])
        builder = _builder(name, name, key, AUTHORITY_VALID)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        return cls(key, builder.sign(key, SHA256()))

    @classmethod
    def kept(cls, certificate: Path, key: Path) -> "Authority":
        """The one in these files, mode 0600; the first time, a new one.

        Raises:
            MisconfiguredError: they hold something else.
        """
        if not key.exists():
            new = cls.new()
            certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(certificate, new.pem())
            write_private(key, new.key_pem())
        try:
            private = load_pem_private_key(key.read_bytes(), password=None)
            assert isinstance(private, EllipticCurvePrivateKey), "made by `new`"
            return cls(private, x509.load_pem_x509_certificate(certificate.read_bytes()))
        except (OSError, ValueError) as error:
            raise MisconfiguredError(f"{certificate} is not the authority of {key}: {error}.") from None

    def pem(self) -> bytes:
        """The certificate, which everybody may know."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """The private key."""
        return _private_pem(self._key)

    def issue(self, names: Sequence[str]) -> bytes:
        """A new key and its certificate for these host names and IP addresses: PEM, both in one."""
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        builder = _builder(subject, self.certificate.subject, key, VALID)
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(name) for name in names]), False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs=False), critical=True)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, critical=False)
        issuer = self._key.public_key()
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False)
        certificate = builder.sign(self._key, SHA256())
        return _private_pem(key) + certificate.public_bytes(Encoding.PEM)

    def keep(self, path: Path, names: Sequence[str]) -> bool:
        """Issue the certificate in this file, mode 0600, if there is none, or one that has to be renewed.

        Returns True if it was written.
        """
        if path.exists() and not self._must_renew(path.read_bytes(), names):
            return False
        write_private(path, self.issue(names))
        return True

    def _must_renew(self, pem: bytes, names: Sequence[str]) -> bool:
        """True for a certificate that ends soon or is for other names, if it is of this authority."""
        certificate = x509.load_pem_x509_certificates(pem)[0]
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        has_names = set(known) == {_host(name) for name in names}
        return not has_names or certificate.not_valid_after_utc - clock.now() < RENEWED_BEFORE_END


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now - CLOCK_SKEW + valid)
    )
