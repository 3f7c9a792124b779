"""`clinic secrets`: each service finds its own in its folder, and TLS is proved by them."""

import os
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from infra.crypto.credentials import COMMON_SECRETS, SECRETS
from infra.crypto.production import unfit
from infra.crypto.uses import read_secrets
from infra.settings import Settings
from ops.access import SERVICES
from ops.compose.secrets import KAFKA_USERS, make_secrets
from ops.tls.certificates import Authority

ROOT = Path(__file__).parents[4]
URL = "https://clinic.example.org"
SERVERS = {
    "kafka": "kafka",
    "postgres": "postgres",
    "valkey": "valkey",
    "ingress": "ingress-2",
    "worker": "worker-1",
    "collector": "collector",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    make_secrets(folder, URL)
    return folder


def settings_of(service: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in list(os.environ):
        if name.startswith("CLINIC_"):
            monkeypatch.delenv(name)
    for name, value in dotenv_values(ROOT / "deploy" / "compose" / "clinic.env").items():
        monkeypatch.setenv(name, value or "")
    monkeypatch.setenv("CLINIC_SECRETS_DIR", str(folder / service))
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    return Settings.load(folder)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_start_in_production_with_what_its_folder_holds(
    service: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(service, folder, monkeypatch)

    assert list(unfit(settings, service)) == []
    assert getattr(settings, f"{service}_dsn").startswith(f"postgresql://clinic_{service}:")
    assert settings.kafka_sasl_username == service


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_in_production_may_send_traces_to_the_collector(
    service: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(service, folder, monkeypatch)
    assert settings.otlp_endpoint is None
    traced = settings.model_copy(update={"otlp_endpoint": "https://collector:4318"})

    assert list(unfit(traced, service)) == []
    shakes_hands(folder / "collector" / "tls.pem", folder / service / "ca.pem", "collector")


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_has_anothers_credentials(service: str, folder: Path) -> None:
    given = {path.name.removeprefix("clinic_") for path in (folder / service).glob("clinic_*")}
    assert given <= SECRETS[service] | COMMON_SECRETS
    files = {path.name for path in (folder / service).iterdir()} - {"ca.pem", "tls.pem"}
    keys = {"master.key": "master_key_file", "events.key": "events_key_file", "audit.pem": "audit_key_file"}
    assert {keys[name] for name in files & keys.keys()} == SECRETS[service] & set(keys.values())


def test_the_notifier_cannot_open_receipts(folder: Path) -> None:
    assert (
        read_secrets(folder / "notifier" / "master.key").keys()
        < read_secrets(folder / "ingress" / "master.key").keys()
    )
    assert read_secrets(folder / "ingress" / "master.key") == read_secrets(folder / "operator" / "master.key")


def test_on_the_host_nobody_else_gets_into_the_folder(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("authority/ca.key", "authority/passwords.json"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert not [path for path in folder.rglob("ca.key") if path.parent.name != "authority"]


def test_a_second_run_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert make_secrets(folder, URL) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def shakes_hands(server_file: Path, ca_file: Path, name: str) -> None:
    """Raises `ssl.SSLError` if a client does not believe the server."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(server_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=ca_file).wrap_bio(to_client, to_server, server_hostname=name)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    unfinished: list[Any] = [client, server]
    for _ in range(10):
        for side in list(unfinished):
            try:
                side.do_handshake()
                unfinished.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert unfinished == []


@pytest.mark.parametrize(
    ("name", "host"), [*SERVERS.items(), ("proxy", "clinic.example.org"), ("mail", "mail")]
)
def test_a_certificate_is_for_its_host_alone(name: str, host: str, folder: Path) -> None:
    own = folder / name
    shakes_hands(own / "tls.pem", own / "ca.pem", host)
    with pytest.raises(ssl.SSLCertVerificationError):
        shakes_hands(own / "tls.pem", own / "ca.pem", "other.example.org")


def test_another_host_name_gets_a_new_certificate_and_a_bought_one_stays(tmp_path: Path) -> None:
    make_secrets(tmp_path, URL)
    assert make_secrets(tmp_path, "https://other.example.org") == ["proxy/tls.pem"]
    shakes_hands(tmp_path / "proxy" / "tls.pem", tmp_path / "proxy" / "ca.pem", "other.example.org")
    own = tmp_path / "proxy" / "tls.pem"
    own.unlink()
    own.write_bytes(Authority.new().issue(["clinic.example.org"]))
    assert make_secrets(tmp_path, "https://third.example.org") == []


def test_kafka_knows_every_user(folder: Path) -> None:
    lines = (folder / "kafka" / "users.properties").read_text().splitlines()
    logins = [line for line in lines if ".plain.sasl.jaas.config=" in line]
    assert len(logins) == 2
    for line in logins:
        assert [name for name in KAFKA_USERS if f" user_{name}=" not in line] == []
