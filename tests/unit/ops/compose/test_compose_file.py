"""`docker-compose.yml`: who sees which secrets, and how little each container may do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from infra.settings import Settings
from ops.compose.__main__ import UPGRADED
from ops.compose.backup import SERVICES as WITHOUT_SERVERS
from ops.health import CONSUMERS

ROOT = Path(__file__).parents[4]
COMPOSE = ROOT / "deploy" / "compose"
COLLECTOR = COMPOSE / "observability" / "collector.yml"
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
# They end, and are not asked whether they are well.
ONCE = {"secrets", "setup", "operator"}
# Its image holds nothing but the collector itself, which cannot be asked from within.
UNASKED = {"collector"}
OWN = {"ingress-1": "ingress", "ingress-2": "ingress", "worker-1": "worker", "worker-2": "worker"}
KEYS = {
    "ingress-1": {"signing", "storage"},
    "ingress-2": {"signing", "storage"},
    "notifier": {"storage"},
    "setup": {"signing", "storage"},
    "operator": {"signing", "storage"},
}
MOUNT = re.compile(r"\$\{SECRETS_DIR:-\./secrets\}(?:/(\w+))?:(/[\w/]+)(:ro)?")


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "pid", "ipc", "devices"}
    if name == "secrets":
        # It gives files away, without a network.
        assert service["network_mode"] == "none"
    else:
        assert service["user"].partition(":")[0] not in ("0", "root")
        assert "cap_add" not in service


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONCE))
def test_what_runs_on_is_asked_whether_it_works_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert name in UNASKED or service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"secrets"}))
def test_a_container_sees_its_own_secrets_only(name: str) -> None:
    mounts = [match for volume in SERVICES[name]["volumes"] if (match := MOUNT.fullmatch(volume))]
    own = {"setup": "operator"}.get(name, OWN.get(name, name))
    assert {match[1] for match in mounts} == {own, *KEYS.get(name, set())}
    writable = {match[1] for match in mounts if not match[3]}
    assert writable == ({"signing", "storage"} if name in ("setup", "operator") else set())


def test_no_password_is_in_the_files() -> None:
    values = [*dotenv_values(ROOT / "deploy" / "compose" / "clinic.env").items()]
    for service in SERVICES.values():
        values += service.get("environment", {}).items()
    secret = re.compile(r"PASSWORD|DSN|REDIS_URL|TOKEN", re.IGNORECASE)
    assert [name for name, _ in values if secret.search(name) and not name.endswith("_FILE")] == []
    assert not any("://" in (value or "") and "@" in (value or "") for _, value in values)


def test_every_setting_exists() -> None:
    named = set(dotenv_values(ROOT / "deploy" / "compose" / "clinic.env"))
    for service in SERVICES.values():
        named |= {name for name in service.get("environment", {}) if name.startswith("CLINIC_")}
    consumers = tuple(f"metrics_url_{name}" for name in CONSUMERS)
    settings = {name.removeprefix("CLINIC_").lower() for name in named}
    unknown = settings - Settings.model_fields.keys()
    assert {name for name in unknown if not name.startswith(consumers)} == set()


def test_only_the_proxy_is_reached_from_outside() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if service.get("ports")}
    assert ports.keys() == {"proxy", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in ports["grafana"])
    assert FILE["networks"]["back"]["internal"] is FILE["networks"]["front"]["internal"] is True
    beyond = {
        name for name, service in SERVICES.items() if {"edge", "outside"} & {*service.get("networks", ())}
    }
    assert beyond == {"proxy", "notifier", "grafana"}


def test_the_collector_is_off_by_default_and_reached_by_services_over_tls_alone() -> None:
    collector, configuration = SERVICES["collector"], yaml.safe_load(COLLECTOR.read_text())
    assert collector["profiles"] == ["observability"]
    assert not [name for name in dotenv_values(COMPOSE / "clinic.env") if name.startswith("CLINIC_OTLP")]
    assert re.fullmatch(r"otel/opentelemetry-collector-contrib:\d+\.\d+\.\d+", collector["image"])
    [protocol] = configuration["receivers"]["otlp"]["protocols"].items()
    assert protocol[0] == "http"
    assert protocol[1]["endpoint"] == "0.0.0.0:4318"
    assert {protocol[1]["tls"][file] for file in ("cert_file", "key_file")} == {"/run/secrets/tls.pem"}
    senders = [name for name, service in SERVICES.items() if (service.get("command") or [""])[0] == "run"]
    assert all({*collector["networks"]} & {*SERVICES[name]["networks"]} for name in senders)


def test_the_collector_limits_what_it_holds_and_keeps_and_writes_to_its_volume() -> None:
    collector, configuration = SERVICES["collector"], yaml.safe_load(COLLECTOR.read_text())
    [pipeline] = configuration["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert sorted(pipeline[kind]) == sorted(configuration[kind])
    assert pipeline["processors"] == ["memory_limiter", "batch"]
    file = configuration["exporters"]["file"]
    assert Path(file["path"]).parent == Path("/data")
    assert file["rotation"].keys() == {"max_megabytes", "max_days", "max_backups"}
    # An account without a folder of its own in that image: a service of the same account makes the volume.
    assert "traces:/data" in collector["volumes"]
    assert "traces:/data" in SERVICES["setup"]["volumes"]
    assert SERVICES["setup"]["user"] == collector["user"]
    assert collector["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}


def test_bookings_come_first() -> None:
    weights = {name: service["cpu_shares"] for name, service in SERVICES.items() if "cpu_shares" in service}
    background = {"auditor", "notifier", "mail", "prometheus", "grafana", "collector"}
    assert 4 * max(weights[name] for name in background) <= min(
        weight for name, weight in weights.items() if name not in background
    )


def test_an_upgrade_replaces_every_service_readers_before_writers() -> None:
    services = [name for name, service in SERVICES.items() if (service.get("command") or [""])[0] == "run"]
    assert sorted(UPGRADED) == sorted(services)
    kinds = list(dict.fromkeys(SERVICES[name]["command"][1] for name in UPGRADED))
    assert kinds == ["auditor", "notifier", "worker", "ingress"]
    assert set(WITHOUT_SERVERS) == {"proxy", *UPGRADED}
