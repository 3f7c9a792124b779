"""The embedded stack: Kafka, Postgres, Valkey and sinks for mail, on one data folder."""

import asyncio
from pathlib import Path
from types import TracebackType

from infra.errors import MisconfiguredError
from infra.settings import Settings
from ops.embedded import kafka, mail, postgres, valkey
from ops.embedded.folder import DataFolder, port_is_free
from ops.embedded.process import Child, reap_leftovers


class EmbeddedStack:
    """`async with EmbeddedStack(folder) as stack:` boots the servers and writes `stack.env`.

    Attributes:
        settings: the addresses and credentials of the running stack.
        environment: the same as `CLINIC_…` variables, for a service's process.
        processes: `kafka`, `postgres`, `valkey`, `mail`, each with `pid`, `stop()`, `kill()` and `start()`.

    Raises on entry:
        MisconfiguredError: the folder is in use, the disk is full, or the like: a sentence for the operator.
        PartFailedError: a server did not start. What had started is stopped again.
    """

    settings: Settings

    def __init__(self, data_dir: Path, *, http_port: int | None = None) -> None:
        """`http_port` is where the ingress will listen; by default a free port of the stack's own."""
        self.folder = DataFolder(data_dir)
        self.environment: dict[str, str] = {}
        self.processes: dict[str, Child] = {}
        self._http_port = http_port

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
        ports = self.folder.ports()
        if self._http_port is not None:
            if not port_is_free(self._http_port):
                raise MisconfiguredError(f"Port {self._http_port} is in use: choose another one with --port.")
            ports["http"] = self._http_port
        self.settings = self._write_settings(ports)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_kafka(ports))
                group.create_task(self._start_postgres(ports))
                group.create_task(self._start_child(valkey.prepare(self.folder, ports, self.settings)))
                group.create_task(self._start_child(mail.prepare(self.folder, ports)))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _start_kafka(self, ports: dict[str, int]) -> None:
        await self._start_child(await kafka.prepare(self.folder, ports, self.settings))

    async def _start_postgres(self, ports: dict[str, int]) -> None:
        await self._start_child(await postgres.prepare(self.folder, ports))
        passwords = {role: self.folder.secret(f"{role}.password") for role in postgres.ROLES}
        await postgres.create_database(postgres.maintenance_dsn(self.folder, ports), passwords)

    async def _start_child(self, child: Child) -> None:
        self.processes[child.name] = child
        await child.start()

    async def stop(self) -> None:
        """Stop the servers side by side, each in its orderly way, and give the data folder free."""
        await asyncio.gather(*(child.stop() for child in self.processes.values()))
        self.folder.__exit__(None, None, None)

    def _write_settings(self, ports: dict[str, int]) -> Settings:
        folder = self.folder

        def dsn(user: str) -> str:
            return postgres.dsn(user, folder.secret(f"{user}.password"), ports["postgres"])

        values = {
            "url": f"http://127.0.0.1:{ports['http']}",
            "host": "127.0.0.1",
            "port": str(ports["http"]),
            "kafka_bootstrap": f"127.0.0.1:{ports['kafka']}",
            "postgres_dsn": dsn("postgres"),
            "postgres_dsn_ingress": dsn("clinic_ingress"),
            "postgres_dsn_worker": dsn("clinic_worker"),
            "postgres_dsn_auditor": dsn("clinic_auditor"),
            "postgres_dsn_notifier": dsn("clinic_notifier"),
            "redis_url": f"redis://:{folder.secret('valkey.password')}@127.0.0.1:{ports['valkey']}/0",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(ports["smtp"]),
            "smtp_tls": "none",
            "smtp_connections": "16",
            "smtp_rate_per_s": "1000",
            "sms_url": f"http://127.0.0.1:{ports['sms']}/",
            "signing_key_file": str(folder.signing_key_file()),
            "audit_key_file": str(folder.audit_key_file()),
            "master_key_file": str(folder.master_key_file()),
        }
        self.environment = {f"CLINIC_{name.upper()}": value for name, value in values.items()}
        folder.write_stack_env(self.environment)
        return Settings.model_validate(values)
