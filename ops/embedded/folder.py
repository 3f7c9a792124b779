"""The data folder: everything one embedded stack keeps, owned by one `clinic up` at a time.

keys/      signing.pem, audit.pem, master.key, …      mode 0600, created on the first start
           storage/                                   replaced in time, see `ops.keys.storage`
run/       NAME.pid                                   one per process; `up` holds the lock
logs/      NAME.log                                   bounded
kafka/ postgres/ valkey/                              the parts' own data
tls/       ca.pem, ca.key, NAME.pem                   only of a clinic with TLS; mode 0600
sockets/                                              of servers behind TLS; mode 0700
mail/ sms/                                            messages that the sinks received
ports.json stack.env lock staff-login.txt
"""

import fcntl
import json
import os
import shlex
import shutil
import socket
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from infra import clock
from infra.crypto.uses import NOTIFIER_USES, read_secrets
from infra.errors import MisconfiguredError
from ops import keys
from ops.keys import write_private

SECRET_BYTES = 24
# `sun_path` of macOS, the shortest, without a zero byte and the longest name of a socket.
SOCKETS_PATH_BYTES_MAX = 103 - len("/.s.PGSQL.65535")
FREE_BYTES_MIN = 512 * 1024 * 1024
PORTS = ("kafka", "kafka-controller", "postgres", "valkey", "http", "smtp", "sms")
# Below the range from which the kernel takes the ports of outgoing connections.
PORT_RANGE = range(15_000, 32_000)
PORT_TRIES_MAX = 1_000
_UNQUOTABLE = frozenset("'\",\\$`\n\r")


class DataFolder:
    """A data folder, locked while it is entered. The kernel frees the lock when the process dies.

    Raises on entry:
        MisconfiguredError: another stack runs on it, its path does not fit into the parts' configuration
            files, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._owner_file = self.path / "run" / "up.pid"
        self._lock_fd: int | None = None

    def __enter__(self) -> "DataFolder":
        if _UNQUOTABLE & set(str(self.path)):
            raise MisconfiguredError(
                f"The data folder's path may not hold quotes, commas, $ or \\: {self.path}"
            )
        for name in ("", "run", "logs", "keys"):
            (self.path / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_fd)
            self._lock_fd = None
            raise MisconfiguredError(f"A clinic is already running on the data folder {self.path}.") from None
        write_private(self._owner_file, f"{os.getpid()}\n".encode())
        free = shutil.disk_usage(self.path).free
        if free < FREE_BYTES_MIN:
            self._unlock()
            needed = f"the clinic needs {FREE_BYTES_MIN >> 20} MB"
            raise MisconfiguredError(f"The disk is full: {self.path} has {free >> 20} MB left and {needed}.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unlock()

    def _unlock(self) -> None:
        if self._lock_fd is not None:
            self._owner_file.unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None

    def secret(self, name: str) -> str:
        """A random secret, URL-safe, in `keys/<name>`; created on first use."""
        return self._keep(name, urlsafe_b64encode(clock.new_secret(SECRET_BYTES))).read_text().strip()

    def signing_key_file(self) -> Path:
        """`keys/signing.pem`: signs access tokens."""
        return self._keep("signing.pem", keys.new_signing_keys())

    def audit_key_file(self) -> Path:
        """`keys/audit.pem`: signs the heads of the audit trail."""
        return self._keep("audit.pem", keys.new_ed25519_key())

    def master_key_file(self) -> Path:
        """`keys/master.key`: receipts, fingerprints, notes and login challenges."""
        return self._keep("master.key", keys.new_secret_key())

    def events_key_file(self) -> Path:
        """`keys/events.key`: shows that a worker wrote an event."""
        return self._keep("events.key", keys.new_secret_key())

    def notifier_key_file(self) -> Path:
        """`keys/notifier.key`: the master key's uses that the notifier needs."""
        path = self.path / "keys" / "notifier.key"
        uses = read_secrets(self.master_key_file())
        write_private(path, json.dumps({use: uses[use].hex() for use in NOTIFIER_USES}).encode() + b"\n")
        return path

    def storage_key_dir(self) -> Path:
        """`keys/storage`: the storage keys, which wrap the patients' data keys."""
        folder = self.path / "keys" / "storage"
        keys.keep_first_epoch(folder)
        return folder

    def sockets(self) -> Path:
        """`sockets`: Unix sockets of servers, for this account alone.

        Raises:
            MisconfiguredError: the path is too long for them.
        """
        path = self.path / "sockets"
        if len(os.fsencode(path)) > SOCKETS_PATH_BYTES_MAX:
            raise MisconfiguredError(
                f"The data folder's path is too long for the sockets of a clinic with TLS: {self.path}"
            )
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def _keep(self, name: str, content: bytes) -> Path:
        path = self.path / "keys" / name
        keys.keep(path, content)
        return path

    def ports(self, consumers: Sequence[str] = ()) -> dict[str, int]:
        """A port on 127.0.0.1 per part: the same as last time, or a new one if another program uses that.

        `consumers` are the services that serve their metrics and health on a port of their own.
        """
        path = self.path / "ports.json"
        remembered: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        ports: dict[str, int] = {}
        for name in (*PORTS, *consumers):
            port = remembered.get(name)
            ports[name] = port if port is not None and port_is_free(port) else _pick_port(set(ports.values()))
        if ports != remembered:
            write_private(path, json.dumps(ports, indent=2).encode() + b"\n")
        return ports

    def write_stack_env(self, environment: Mapping[str, str]) -> None:
        """`stack.env`, mode 0600: `CLINIC_NAME=value` lines for a POSIX shell and for `Settings.load`."""
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in environment.items()]
        write_private(self.path / "stack.env", "".join(lines).encode())


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True if no process listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _pick_port(taken: set[int]) -> int:
    for _ in range(PORT_TRIES_MAX):
        port = int(clock.jitter(PORT_RANGE.start, PORT_RANGE.stop))
        if port not in taken and port_is_free(port):
            return port
    raise MisconfiguredError(f"No free port between {PORT_RANGE.start} and {PORT_RANGE.stop} on 127.0.0.1.")
