"""Production mode: what is only for trying the clinic keeps a service from starting."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infra.crypto.production import EMBEDDED_STACK, check_production, refuse_in_production
from infra.errors import MisconfiguredError
from infra.settings import Settings

PROPER: dict[str, Any] = {
    "production": True,
    "url": "https://clinic.example.org",
    "kafka_security_protocol": "SASL_SSL",
    "kafka_bootstrap": "kafka-1.example.org:9093,kafka-2.example.org:9093",
    "redis_url": SecretStr("rediss://ingress:secret@valkey.example.org:6380/0"),
    **{
        f"postgres_dsn_{service}": SecretStr(
            f"postgresql://{service}:s@db.example.org/clinic?sslmode=verify-full"
        )
        for service in ("ingress", "worker", "auditor", "notifier")
    },
    "smtp_host": "mail.example.org",
}


@pytest.fixture(autouse=True)
def _not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def refusal(service: str = "ingress", **changed: Any) -> str:
    with pytest.raises(MisconfiguredError) as refused:
        check_production(Settings(**{**PROPER, **changed}), service)
    return str(refused.value)


@pytest.mark.parametrize("service", ["ingress", "worker", "auditor", "notifier"])
def test_proper_settings_start(service: str) -> None:
    check_production(Settings(**PROPER), service)


def test_so_do_servers_on_this_machine() -> None:
    local = {
        "kafka_security_protocol": "PLAINTEXT",
        "kafka_bootstrap": "127.0.0.1:9092,[::1]:9092,localhost:9092",
        "redis_url": SecretStr("redis://:secret@127.0.0.1:6379/0"),
        "postgres_dsn_notifier": SecretStr("postgresql:///clinic?host=/run/postgresql"),
        "smtp_host": "127.0.0.1",
        "smtp_tls": "none",
        "sms_url": SecretStr("http://localhost:8080/sms"),
    }
    check_production(Settings(**{**PROPER, **local}), "notifier")


@pytest.mark.parametrize(
    ("service", "changed", "said"),
    [
        ("worker", {"postgres_dsn": SecretStr("postgresql://postgres@db.example.org/clinic")}, "the owner's"),
        ("worker", {"postgres_dsn_worker": SecretStr("postgresql://w@db.example.org/clinic")}, "sslmode"),
        (
            "worker",
            {"postgres_dsn_worker": SecretStr("postgresql://w@db.example.org/clinic?sslmode=require")},
            "sslmode",
        ),
        ("auditor", {"kafka_security_protocol": "SASL_PLAINTEXT"}, "KAFKA_SECURITY_PROTOCOL"),
        (
            "auditor",
            {"kafka_security_protocol": "PLAINTEXT", "kafka_bootstrap": "127.0.0.1:9092,10.0.0.1:9092"},
            "KAFKA_SECURITY_PROTOCOL",
        ),
        ("ingress", {"redis_url": SecretStr("redis://i:s@10.0.0.1:6379/0")}, "CLINIC_REDIS_URL"),
        ("ingress", {"host": "0.0.0.0"}, "CLINIC_HOST"),
        ("ingress", {"demo": True}, "CLINIC_DEMO"),
        ("ingress", {"url": "http://clinic.example.org"}, "CLINIC_URL"),
        ("ingress", {"http_proxies": "*"}, "CLINIC_HTTP_PROXIES"),
        ("ingress", {"http_proxies": "10.0.0.1, 0.0.0.0/0"}, "CLINIC_HTTP_PROXIES"),
        ("ingress", {"http_proxies": "::/0"}, "CLINIC_HTTP_PROXIES"),
        ("ingress", {"origin": "http://clinic.example.org"}, "CLINIC_ORIGIN"),
        ("notifier", {"smtp_tls": "none"}, "CLINIC_SMTP_TLS"),
        ("notifier", {"sms_url": SecretStr("http://sms.example.org/")}, "CLINIC_SMS_URL"),
    ],
)
def test_what_is_wrong_is_named_without_a_secret(service: str, changed: dict[str, Any], said: str) -> None:
    text = refusal(service, **changed)
    assert said in text
    assert "postgresql://" not in text
    assert "redis://i" not in text


def test_a_service_with_tls_may_listen_everywhere() -> None:
    check_production(Settings(**{**PROPER, "host": "0.0.0.0", "tls_file": Path("tls.pem")}), "ingress")


def test_root_and_the_keys_of_clinic_up_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / EMBEDDED_STACK).write_text("{}")
    keys = tmp_path / "keys"
    text = refusal(signing_key_file=keys / "signing.pem", storage_key_dir=keys / "storage")
    assert "CLINIC_SIGNING_KEY_FILE names a key that `clinic up` made." in text
    assert "CLINIC_STORAGE_KEY_DIR" in text
    assert "CLINIC_MASTER_KEY_FILE" not in text
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "root" in refusal()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = refusal(host="0.0.0.0", url="http://clinic.example.org")
    assert "CLINIC_HOST" in text
    assert "CLINIC_URL" in text


def test_other_modes_refuse_nothing() -> None:
    check_production(Settings(host="0.0.0.0"), "ingress")
    refuse_in_production(Settings(), "clinic token")
    with pytest.raises(MisconfiguredError, match="`clinic token` is off in production mode"):
        refuse_in_production(Settings(production=True), "clinic token")
