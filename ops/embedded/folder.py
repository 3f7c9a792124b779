"""The data folder: everything one embedded stack keeps, owned by one `clinic up` at a time.

keys/      signing.pem, audit.pem, master.key, …      mode 0600, made on the first start, never changed
run/       NAME.pid                                   one per process; `up` holds the lock
logs/      NAME.log                                   bounded
kafka/ postgres/ valkey/                              the parts' own data
mail/ sms/                                            what the sinks received
ports.json stack.env lock
"""

import fcntl
import json
import os
import secrets
import shlex
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.errors import MisconfiguredError

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
        """A random secret, URL-safe, kept in `keys/<name>`; made the first time it is asked for."""
        return self._keep(name, secrets.token_urlsafe(24).encode()).read_text().strip()

    def signing_key_file(self) -> Path:
        """`keys/signing.pem`: an Ed25519 private key, PKCS #8 PEM."""
        return self._ed25519_key_file("signing.pem")

    def audit_key_file(self) -> Path:
        """`keys/audit.pem`: the same for the heads of the audit trail."""
        return self._ed25519_key_file("audit.pem")

    def _ed25519_key_file(self, name: str) -> Path:
        key = Ed25519PrivateKey.generate()
        return self._keep(name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def master_key_file(self) -> Path:
        """`keys/master.key`: 32 random bytes in hex."""
        return self._keep("master.key", secrets.token_hex(32).encode())

    def _keep(self, name: str, content: bytes) -> Path:
        path = self.path / "keys" / name
        if not path.exists():
            write_private(path, content + b"\n")
        return path

    def ports(self) -> dict[str, int]:
        """A port on 127.0.0.1 per part: the remembered one, or a new one where a stranger has taken it."""
        path = self.path / "ports.json"
        remembered: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        ports: dict[str, int] = {}
        for name in PORTS:
            port = remembered.get(name)
            ports[name] = port if port is not None and port_is_free(port) else _pick_port(set(ports.values()))
        if ports != remembered:
            write_private(path, json.dumps(ports, indent=2).encode() + b"\n")
        return ports

    def write_stack_env(self, environment: Mapping[str, str]) -> None:
        """`stack.env`, mode 0600: `CLINIC_NAME=value` lines for a POSIX shell and for `Settings.load`."""
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in environment.items()]
        write_private(self.path / "stack.env", "".join(lines).encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _pick_port(taken: set[int]) -> int:
    for _ in range(PORT_TRIES_MAX):
        port = secrets.choice(PORT_RANGE)
        if port not in taken and port_is_free(port):
            return port
    raise MisconfiguredError(f"No free port between {PORT_RANGE.start} and {PORT_RANGE.stop} on 127.0.0.1.")
