"""Production mode: settings that are fine for trying the clinic keep a service from starting."""

import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from infra.crypto.credentials import SECRETS
from infra.errors import MisconfiguredError
from infra.settings import Settings

# What `clinic up` leaves in its data folder, beside the folder of its keys.
EMBEDDED_STACK = "ports.json"


def check_production(settings: Settings, service: str) -> None:
    """Refuse to start a service in production mode with settings that are not for production.

    Raises:
        MisconfiguredError: everything that is wrong, one sentence each.
    """
    if settings.production and (findings := list(unfit(settings, service))):
        raise MisconfiguredError(f"Not in production mode: {' '.join(findings)}")


def refuse_in_production(settings: Settings, command: str) -> None:
    """Refuse an operator's command that is for trying the clinic.

    Raises:
        MisconfiguredError: this is production mode.
    """
    if settings.production:
        raise MisconfiguredError(f"`{command}` is off in production mode.")


def unfit(settings: Settings, service: str) -> Iterator[str]:
    """Everything about the settings of a service that is not for production."""
    if os.geteuid() == 0:
        yield "It runs as root."
    if "postgres_dsn" in settings.model_fields_set:
        yield "CLINIC_POSTGRES_DSN, the owner's, is in its environment."
    if settings.demo:
        yield "CLINIC_DEMO is for trying the clinic."
    yield from _plaintext(settings, service)
    for name in sorted(SECRETS[service]):
        if name.endswith(("_key_file", "_key_dir")) and _is_of_a_demo(getattr(settings, name)):
            yield f"CLINIC_{name.upper()} names a key that `clinic up` made."


def _plaintext(settings: Settings, service: str) -> Iterator[str]:
    dsn = getattr(settings, f"postgres_dsn_{service}")
    postgres = urlsplit(dsn.get_secret_value() if dsn else "")
    is_verified = parse_qs(postgres.query).get("sslmode") == ["verify-full"]
    if not is_verified and not _is_local(postgres.netloc.rpartition("@")[2]):
        yield f"CLINIC_POSTGRES_DSN_{service.upper()} lacks sslmode=verify-full."
    if not settings.kafka_security_protocol.endswith("SSL") and not _is_local(settings.kafka_bootstrap):
        yield f"CLINIC_KAFKA_SECURITY_PROTOCOL is {settings.kafka_security_protocol}."
    redis = urlsplit(settings.redis_url.get_secret_value())
    if redis.scheme == "redis" and not _is_local(redis.netloc.rpartition("@")[2]):
        yield "CLINIC_REDIS_URL is not rediss://."
    if not _is_local(settings.host) and settings.tls_file is None:
        yield "CLINIC_HOST is not on loopback, where a proxy adds TLS, and CLINIC_TLS_FILE is not set."
    if service == "ingress" and not settings.url.startswith("https://"):
        yield "CLINIC_URL is not https://."
    if service == "ingress" and any(_is_everybody(proxy) for proxy in settings.http_proxies.split(",")):
        yield "CLINIC_HTTP_PROXIES believes everybody who names a client's address."
    if service == "ingress" and settings.origin and not settings.origin.startswith("https://"):
        yield "CLINIC_ORIGIN is not https://."
    collector = urlsplit(settings.otlp_endpoint or "")
    if collector.scheme == "http" and not _is_local(collector.netloc):
        yield "CLINIC_OTLP_ENDPOINT is not https://."
    if service == "notifier":
        yield from _plaintext_channels(settings)
    if service == "auditor":
        yield from _plaintext_witness(settings)


def _plaintext_channels(settings: Settings) -> Iterator[str]:
    yield from _plaintext_mail(settings)
    gateway = urlsplit(settings.sms_url.get_secret_value() if settings.sms_url else "")
    if gateway.scheme == "http" and not _is_local(gateway.netloc.rpartition("@")[2]):
        yield "CLINIC_SMS_URL is not https://."


def _plaintext_witness(settings: Settings) -> Iterator[str]:
    witness = urlsplit(settings.audit_witness_url.get_secret_value() if settings.audit_witness_url else "")
    if witness.scheme == "http" and not _is_local(witness.netloc.rpartition("@")[2]):
        yield "CLINIC_AUDIT_WITNESS_URL is not https://."
    if witness.scheme == "mailto":
        yield from _plaintext_mail(settings)


def _plaintext_mail(settings: Settings) -> Iterator[str]:
    if settings.smtp_tls == "none" and not _is_local(settings.smtp_host):
        yield "CLINIC_SMTP_TLS is none."


def _is_local(addresses: str) -> bool:
    """True if all of these addresses, with or without a port, are of this machine; so is none at all."""
    return all(
        _is_loopback(urlsplit(f"//{address}").hostname or "") for address in addresses.split(",") if address
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_everybody(addresses: str) -> bool:
    return addresses.strip() == "*" or addresses.strip().endswith("/0")


def _is_of_a_demo(path: Path) -> bool:
    return any((parent / EMBEDDED_STACK).exists() for parent in path.absolute().parents[:3])
