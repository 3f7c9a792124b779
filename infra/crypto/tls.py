"""TLS of what a process serves itself, and of the mail server."""

import ssl
from pathlib import Path

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


def smtp_context(settings: Settings) -> ssl.SSLContext | None:
    """For the mail server, whose certificate is checked; None where `smtp_tls` is `none`.

    Raises:
        MisconfiguredError: the file with the authorities cannot be read.
    """
    if settings.smtp_tls == "none":
        return None
    try:
        return ssl.create_default_context(cafile=settings.smtp_ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise MisconfiguredError(f"{settings.smtp_ca_file} does not hold certificates: {error}") from None
