"""The embedded stack: Kafka, Postgres, Valkey and sinks for mail, on one data folder."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from infra.crypto.credentials import COMMON_SECRETS, SECRETS
from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.access.valkey import COMMANDS
from ops.embedded import kafka, mail, postgres, valkey
from ops.embedded.folder import DataFolder, port_is_free
from ops.embedded.process import Child, reap_leftovers
from ops.embedded.tls import Tls

# Whoever tries how much it bears asks from one address, and as a few people: ten times the usual.
FOR_LOAD_TESTS = {
    "requests_per_network_minute": "600000",
    "requests_per_patient_minute": "200000",
    "requests_per_staff_minute": "600000",
}


class EmbeddedStack:
    """`async with EmbeddedStack(folder) as stack:` boots the servers and writes `stack.env`.

    Attributes:
        settings: the addresses and credentials of the running stack.
        metrics_ports: where each of the consumers serves `/metrics`, `/health/live` and `/health/ready`; in
            `stack.env` these are `CLINIC_METRICS_URL_<NAME>`.
        processes: `kafka`, `postgres`, `valkey`, `mail`, each with `pid`, `stop()`, `kill()` and `start()`;
            with TLS `tls`, too, which Postgres and Valkey are behind.

    Raises on entry:
        MisconfiguredError: for example, the folder is in use or the disk is full.
        PartFailedError: a server did not start. The others are stopped.
    """

    settings: Settings

    def __init__(
        self,
        data_dir: Path,
        *,
        http_port: int | None = None,
        consumers: Sequence[str] = (),
        with_tls: bool = False,
    ) -> None:
        """`http_port` is where the ingress will listen; by default a free port of the stack's own.

        `consumers` are the names of the services that will serve metrics on a port of their own.
        `with_tls`: nothing listens without TLS, and Kafka asks who it is.
        """
        self.folder = DataFolder(data_dir)
        self._values: dict[str, str] = {}
        self._own: dict[str, dict[str, str]] = {}
        self.processes: dict[str, Child] = {}
        self.metrics_ports: dict[str, int] = {}
        self._http_port = http_port
        self._consumers = consumers
        self._with_tls = with_tls
        self._tls: Tls | None = None

    async def __aenter__(self) -> "EmbeddedStack":
        self.folder.__enter__()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        data_dir = self.folder.path
        owner_file = data_dir / "run" / "up.pid"
        pid_files = [path for path in (data_dir / "run").glob("*.pid") if path != owner_file]
        pid_files.append(data_dir / "postgres" / "postmaster.pid")
        await asyncio.to_thread(reap_leftovers, data_dir, pid_files)
        ports = self.folder.ports(self._consumers)
        self.metrics_ports = {name: ports[name] for name in self._consumers}
        if self._http_port is not None:
            if not port_is_free(self._http_port):
                raise MisconfiguredError(f"Port {self._http_port} is in use: choose another one with --port.")
            ports["http"] = self._http_port
        self._tls = Tls(self.folder) if self._with_tls else None
        self.settings = self._write_settings(ports)
        try:
            async with asyncio.TaskGroup() as group:
                if self._tls:
                    sockets = {
                        ports["postgres"]: postgres.socket(self.folder),
                        ports["valkey"]: valkey.socket(self.folder),
                    }
                    group.create_task(self._start_child(self._tls.front(sockets)))
                group.create_task(self._start_kafka(ports))
                group.create_task(self._start_postgres(ports))
                group.create_task(self._start_valkey(ports))
                group.create_task(self._start_child(mail.prepare(self.folder, ports, self._tls)))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _start_kafka(self, ports: dict[str, int]) -> None:
        await self._start_child(await kafka.prepare(self.folder, ports, self.settings, self._tls))

    async def _start_valkey(self, ports: dict[str, int]) -> None:
        await self._start_child(valkey.prepare(self.folder, ports, self.settings, self._tls))

    async def _start_postgres(self, ports: dict[str, int]) -> None:
        await self._start_child(await postgres.prepare(self.folder, ports, self._tls))
        passwords = {role: self.folder.secret(f"{role}.password") for role in postgres.ROLES}
        await postgres.create_database(postgres.maintenance_dsn(self.folder, ports, self._tls), passwords)

    async def _start_child(self, child: Child) -> None:
        self.processes[child.name] = child
        await child.start()

    async def stop(self) -> None:
        """Stop all servers concurrently and in an orderly way, and unlock the data folder."""
        await asyncio.gather(*(child.stop() for child in self.processes.values()))
        self.folder.__exit__(None, None, None)

    def environment(self, service: str) -> dict[str, str]:
        """The settings of a service (`ingress`, …) as `CLINIC_…` variables, without other services' secrets.

        Credentials that come from the caller's environment, such as the SMS gateway's, go where they belong.
        """
        secrets = SECRETS[service] | COMMON_SECRETS
        others = COMMON_SECRETS.union(*SECRETS.values()) - secrets
        given = {f"CLINIC_{name.upper()}" for name in secrets} & os.environ.keys()
        values = self._values | self._own[service]
        return {name: os.environ[name] for name in given} | _variables(
            {name: value for name, value in values.items() if name not in others}
        )

    def _write_settings(self, ports: dict[str, int]) -> Settings:
        folder, tls = self.folder, self._tls
        scheme = "https" if tls else "http"

        def dsn(user: str) -> str:
            return postgres.dsn(folder, ports, user, tls)

        values = {
            "url": f"{scheme}://127.0.0.1:{ports['http']}",
            "host": "127.0.0.1",
            "port": str(ports["http"]),
            "kafka_bootstrap": f"127.0.0.1:{ports['kafka']}",
            "kafka_replication_factor": "1",
            "postgres_dsn": dsn("postgres"),
            "postgres_dsn_ingress": dsn("clinic_ingress"),
            "postgres_dsn_worker": dsn("clinic_worker"),
            "postgres_dsn_auditor": dsn("clinic_auditor"),
            "postgres_dsn_notifier": dsn("clinic_notifier"),
            "redis_url": valkey.url(folder, ports, tls),
            "demo": "true",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(ports["smtp"]),
            "smtp_tls": "none",
            "smtp_utf8": "true",
            "sms_url": f"{scheme}://127.0.0.1:{ports['sms']}/",
            "signing_key_file": str(folder.signing_key_file()),
            "audit_key_file": str(folder.audit_key_file()),
            "master_key_file": str(folder.master_key_file()),
            "storage_key_dir": str(folder.storage_key_dir()),
            "events_key_file": str(folder.events_key_file()),
        }
        chosen = {name for name in FOR_LOAD_TESTS if f"CLINIC_{name.upper()}" in os.environ}
        values |= {name: value for name, value in FOR_LOAD_TESTS.items() if name not in chosen}
        self._values = values
        self._own = {service: {"redis_url": valkey.url(folder, ports, tls, service)} for service in COMMANDS}
        if tls:
            values |= tls.settings()
            for service, own in self._own.items():
                own |= tls.own_settings(service)
        self._own["notifier"]["master_key_file"] = str(folder.notifier_key_file())
        urls = {metrics_variable(name): self.monitoring_url(name) for name in self.metrics_ports}
        folder.write_stack_env(_variables(values) | urls)
        return Settings.model_validate(values)

    def monitoring_url(self, consumer: str) -> str:
        """The URL of a consumer's metrics and health."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.metrics_ports[consumer]}"


def metrics_variable(name: str) -> str:
    """The name of the line in `stack.env` with a consumer's URL."""
    return f"CLINIC_METRICS_URL_{name.upper().replace('-', '_')}"


def _variables(values: Mapping[str, str]) -> dict[str, str]:
    return {f"CLINIC_{name.upper()}": value for name, value in values.items()}
