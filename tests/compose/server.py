"""The clinic of `docker-compose.yml`, started for the tests, in a project of its own."""

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from infra.settings import Settings
from tests.clinic import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SERVERS = ("kafka", "postgres", "valkey", "mail")
LONG_RUNNING = ("proxy", "ingress-1", "ingress-2", "worker-1", "worker-2", "auditor", "notifier", *SERVERS)
WELL_TIMEOUT_S = 180.0
# The listener that `override.yml` publishes. Its users are those of the services' one.
HOST_LISTENER = """\
listeners=CLIENTS://:9093,CONTROLLER://localhost:9094,HOST://:19093
advertised.listeners=CLIENTS://kafka:9093,HOST://localhost:{port}
listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:SASL_SSL,HOST:SASL_SSL
{users}
"""


class Server:
    """The project. `folder` holds its secrets and backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("https", "http", "kafka", "postgres", "valkey")}
        self.url = f"https://localhost:{self.ports['https']}"
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": f"clinic-test-{os.getpid()}",
            "COMPOSE_FILE": "docker-compose.yml:tests/compose/override.yml",
            "COMPOSE_PROFILES": "",
            "CLINIC_TAG": "test",
            "CLINIC_ENV": str(folder / "clinic.env"),
            "SECRETS_DIR": str(folder / "secrets"),
            "HTTPS_PORT": f"127.0.0.1:{self.ports['https']}",
            "HTTP_PORT": f"127.0.0.1:{self.ports['http']}",
            "TEST_FOLDER": str(folder),
            **{
                f"TEST_{name.upper()}_PORT": str(self.ports[name]) for name in ("kafka", "postgres", "valkey")
            },
        }
        (folder / "clinic.env").write_text(
            f"CLINIC_URL={self.url}\nCLINIC_PATIENT_COMMANDS_PER_DAY=1000000\nCLINIC_NOTIFY_LEASE_S=10\n"
            "CLINIC_SMTP_RATE_PER_S=200\n"
        )

    def start(self) -> None:
        """Make the secrets, then all by the one command."""
        (self.folder / "kafka.properties").touch()
        self.compose("build")
        self.compose("run", "--rm", "secrets")
        users = (self.folder / "secrets" / "kafka" / "users.properties").read_text()
        line = next(line for line in users.splitlines() if line.startswith("listener.name.clients."))
        (self.folder / "kafka.properties").write_text(
            HOST_LISTENER.format(port=self.ports["kafka"], users=line.replace("name.clients.", "name.host."))
        )
        self.operate("up")

    def remove(self) -> None:
        """Containers, networks and volumes."""
        self.compose("--profile", "tools", "down", "--volumes", "--timeout", "5")

    def operate(self, *arguments: str) -> None:
        """`python3 -m ops.compose` with these arguments."""
        subprocess.run(
            [sys.executable, "-m", "ops.compose", *arguments], check=True, cwd=ROOT, env=self.environment
        )

    def compose(self, *arguments: str) -> str:
        """`docker compose` with these arguments: what it prints."""
        return self.docker("compose", *arguments)

    def docker(self, *arguments: str) -> str:
        """`docker` with these arguments: what it prints."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"docker {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
        return done.stdout.strip()

    def clinic(self, *arguments: str) -> str:
        """A command of the operator: what it prints."""
        return self.compose("run", "--rm", "-T", "--no-deps", "operator", *arguments)

    def container(self, service: str) -> dict[str, Any]:
        """`docker inspect`, of one that may have ended."""
        [found] = json.loads(self.docker("inspect", self.compose("ps", "--all", "--quiet", service)))
        inspected: dict[str, Any] = found
        return inspected

    def is_well(self, service: str) -> bool:
        """Whether its health check says so."""
        state = self.container(service)["State"]
        return (state["Status"], state["Health"]["Status"]) == ("running", "healthy")

    def until_well(self, *services: str) -> None:
        """Wait until all these are, or all that there are."""
        for service in services or LONG_RUNNING:
            until(lambda service=service: self.is_well(service), f"{service} is well", WELL_TIMEOUT_S)  # type: ignore[misc]

    def crash(self, service: str) -> None:
        """`kill -9` of its first process. Docker does not start again what `docker kill` has ended."""
        os.kill(self.container(service)["State"]["Pid"], signal.SIGKILL)

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts the clinic's own authority."""
        return ssl.create_default_context(cafile=self.folder / "secrets" / "authority" / "ca.pem")

    def http(self) -> httpx.AsyncClient:
        """A client of the proxy."""
        return httpx.AsyncClient(base_url=self.url, verify=self.tls, timeout=30, trust_env=False)

    @property
    def settings(self) -> Settings:
        """The operator's, from outside of the containers."""
        secrets = self.folder / "secrets"
        values = {
            path.name.removeprefix("clinic_"): self._from_outside(path.read_text().strip())
            for path in (secrets / "operator").glob("clinic_*")
        }
        return Settings.model_validate(
            {
                **values,
                "url": self.url,
                "kafka_bootstrap": f"localhost:{self.ports['kafka']}",
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": "PLAIN",
                "kafka_ca_file": secrets / "authority" / "ca.pem",
                "kafka_replication_factor": 1,
                "signing_key_file": secrets / "signing" / "signing.pem",
                "storage_key_dir": secrets / "storage",
                "master_key_file": secrets / "operator" / "master.key",
                "events_key_file": secrets / "operator" / "events.key",
                "audit_key_file": secrets / "operator" / "audit.pem",
            }
        )

    def of_service(self, service: str) -> Settings:
        """The operator's, but for the credentials: those of a service."""
        files = (self.folder / "secrets" / service).glob("clinic_*")
        own = {
            path.name.removeprefix("clinic_"): self._from_outside(path.read_text().strip()) for path in files
        }
        return Settings.model_validate({**self.settings.model_dump(), **own})

    def _from_outside(self, value: str) -> str:
        for inside, outside in (
            ("@postgres/", f"@localhost:{self.ports['postgres']}/"),
            ("@valkey:6379/", f"@localhost:{self.ports['valkey']}/"),
            ("/run/secrets/ca.pem", str(self.folder / "secrets" / "authority" / "ca.pem")),
        ):
            value = value.replace(inside, outside)
        return value
