"""TLS of what a process serves itself, and the connection to the mail server."""

import ssl
from pathlib import Path
from typing import Any

from infra.errors import MisconfiguredError
from infra.settings import Settings


def serving_context(tls_file: Path | None) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the certificate and key of the file, PEM; None without a file.

    Raises:
        MisconfiguredError: the file is missing, or holds no certificate with its key.
    """
    if tls_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls_file)
    except OSError as error:
        raise MisconfiguredError(f"{tls_file} holds no certificate with its key: {error}.") from None
    return context


def smtp_options(settings: Settings) -> dict[str, Any]:
    """The arguments of every aiosmtplib client: address, login, and TLS, with a certificate that is checked.

    Raises:
        MisconfiguredError: the file with the authorities cannot be read.
    """
    password = settings.smtp_password
    return {
        "hostname": settings.smtp_host,
        "port": settings.smtp_port,
        "username": settings.smtp_username,
        "password": password.get_secret_value() if password else None,
        "use_tls": settings.smtp_tls == "implicit",
        "start_tls": settings.smtp_tls == "starttls",
        "tls_context": None if settings.smtp_tls == "none" else client_context(settings.smtp_ca_file),
    }


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the authorities in the file; those of the system without one.

    Raises:
        MisconfiguredError: the file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise MisconfiguredError(f"{ca_file} does not hold certificates: {error}") from None
