"""`clinic secrets DIR`: passwords, keys and certificates, a folder for each service that needs them.

    DIR                 mode 0700: nobody else on the host gets further
      authority/        of all certificates below; no service gets its key
      kafka/ postgres/ valkey/ proxy/ mail/ prometheus/ grafana/ collector/
      ingress/ worker/ auditor/ notifier/ operator/
      signing/          keys of access tokens; `clinic keys rotate` replaces them
      storage/          storage keys; `clinic keys rotate-storage` replaces them

Files named `clinic_…` are settings (`CLINIC_SECRETS_DIR`). Passwords and keys that exist stay as they are.
Certificates of our own authority are replaced before they end, or for other names.
"""

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra import clock
from infra.crypto.sealing import KEY_BYTES
from infra.crypto.uses import FORMER_USES, NOTIFIER_USES, derived_secrets, read_secrets
from ops import keys
from ops.access import OPERATOR, SERVICES
from ops.access.kafka import BROKER, access_properties
from ops.access.valkey import COMMANDS
from ops.keys import write_private
from ops.tls.certificates import Authority

PASSWORD_BYTES = 24
CLUSTER_ID_BYTES = 16
# Any account of a container may read what is mounted into it. On the host, the folder above keeps others out.
READABLE = 0o444
LOOPBACK = ("localhost", "127.0.0.1")
INSTANCES = 2
KAFKA_USERS = (BROKER, OPERATOR, *SERVICES)
VALKEY_USERS = (OPERATOR, *SERVICES)
CA_FILE = "/run/secrets/ca.pem"
POSTGRES_DATABASE = "clinic"


@dataclass
class Secrets:
    """The folder. `changed` are the files that were written."""

    folder: Path
    public_host: str
    owner: int | None = None
    changed: list[str] = field(default_factory=list)

    def make(self) -> None:
        """Write what is missing or has to be renewed.

        Raises:
            MisconfiguredError: a file holds something else.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._passwords = self._kept_passwords()
        self._authority = self._kept_authority()
        self._servers()
        self._services()
        self._rotated_keys()

    def _kept_passwords(self) -> dict[str, str]:
        path = self.folder / "authority" / "passwords.json"
        passwords: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        names = ["postgres", "grafana", "kafka-cluster-id", *(f"postgres-{name}" for name in SERVICES)]
        names += [f"kafka-{name}" for name in KAFKA_USERS] + [f"valkey-{name}" for name in VALKEY_USERS]
        for name in names:
            size = CLUSTER_ID_BYTES if name == "kafka-cluster-id" else PASSWORD_BYTES
            passwords.setdefault(name, urlsafe_b64encode(clock.new_secret(size)).decode().rstrip("="))
        self._write("authority/passwords.json", json.dumps(passwords, indent=2).encode() + b"\n", mode=0o600)
        return passwords

    def _kept_authority(self) -> Authority:
        certificate, key = (self.folder / "authority" / name for name in ("ca.pem", "ca.key"))
        authority = Authority.kept(certificate, key)
        certificate.chmod(READABLE)
        return authority

    def _servers(self) -> None:
        words = self._passwords
        users = access_properties({name: words[f"kafka-{name}"] for name in KAFKA_USERS})
        self._write("kafka/users.properties", users.encode())
        self._write("kafka/cluster.id", f"{words['kafka-cluster-id']}\n".encode())
        self._write("postgres/password", f"{words['postgres']}\n".encode())
        rules = {OPERATOR: "~* &* +@all", **COMMANDS}
        lines = [f"user {name} on >{words[f'valkey-{name}']} {rules[name]}\n" for name in VALKEY_USERS]
        # A health check says nothing but PING, and needs no password for it.
        self._write(
            "valkey/users.acl",
            "".join(["user default on nopass resetkeys resetchannels -@all +ping\n", *lines]).encode(),
        )
        self._write("prometheus/ca.pem", self._authority.pem())
        self._write("grafana/password", f"{words['grafana']}\n".encode())
        for name in ("kafka", "postgres", "valkey", "mail", "collector"):
            self._certify(name, [name, *LOOPBACK])
        self._certify("proxy", list(dict.fromkeys([self.public_host, "proxy", *LOOPBACK])))

    def _services(self) -> None:
        for service in SERVICES:
            names = [f"{service}-{number}" for number in range(1, INSTANCES + 1)]
            self._certify(service, [service, *names, *LOOPBACK])
            dsn = self._dsn(f"clinic_{service}", f"postgres-{service}")
            for holder in (service, OPERATOR):
                self._setting(holder, f"postgres_dsn_{service}", dsn)
            self._shared(service)
        operator = self.folder / OPERATOR
        self._write(f"{OPERATOR}/ca.pem", self._authority.pem())
        self._setting(OPERATOR, "postgres_dsn", self._dsn("postgres", "postgres"))
        self._shared(OPERATOR)
        for name, new in (
            ("master.key", _new_master_key),
            ("events.key", keys.new_secret_key),
            ("audit.pem", keys.new_ed25519_key),
        ):
            if not (operator / name).exists():
                self._write(f"{OPERATOR}/{name}", new().rstrip() + b"\n")
        uses = read_secrets(operator / "master.key")
        of_notifier = {use: uses[use].hex() for use in NOTIFIER_USES}
        self._write("ingress/master.key", (operator / "master.key").read_bytes())
        self._write("notifier/master.key", json.dumps(of_notifier).encode() + b"\n")
        self._write("auditor/audit.pem", (operator / "audit.pem").read_bytes())
        for service in ("worker", "auditor", "notifier"):
            self._write(f"{service}/events.key", (operator / "events.key").read_bytes())

    def _rotated_keys(self) -> None:
        """Keys that the operator's commands replace, so that these files belong to the services' account."""
        for name in ("signing", "storage"):
            (self.folder / name).mkdir(exist_ok=True)
            (self.folder / name).chmod(0o700)
        if keys.keep(self.folder / "signing" / "signing.pem", keys.new_signing_keys()):
            self.changed.append("signing/signing.pem")
        if keys.keep_first_epoch(self.folder / "storage"):
            self.changed.append("storage/000001.key")
        if self.owner is not None:
            for name in ("signing", "storage"):
                for path in (self.folder / name, *(self.folder / name).iterdir()):
                    os.chown(path, self.owner, self.owner)

    def _shared(self, service: str) -> None:
        words = self._passwords
        url = f"rediss://{service}:{words[f'valkey-{service}']}@valkey:6379/0?ssl_ca_certs={CA_FILE}"
        self._setting(service, "redis_url", url)
        self._setting(service, "kafka_sasl_username", service)
        self._setting(service, "kafka_sasl_password", words[f"kafka-{service}"])

    def _dsn(self, user: str, password: str) -> str:
        query = f"sslmode=verify-full&sslrootcert={CA_FILE}"
        return f"postgresql://{user}:{self._passwords[password]}@postgres/{POSTGRES_DATABASE}?{query}"

    def _setting(self, service: str, name: str, value: str) -> None:
        self._write(f"{service}/clinic_{name}", f"{value}\n".encode())

    def _certify(self, name: str, hosts: Sequence[str]) -> None:
        self._write(f"{name}/ca.pem", self._authority.pem())
        path = self.folder / name / "tls.pem"
        if self._authority.keep(path, hosts):
            path.chmod(READABLE)
            self.changed.append(f"{name}/tls.pem")

    def _write(self, name: str, content: bytes, mode: int = READABLE) -> None:
        path = self.folder / name
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(exist_ok=True)
        write_private(path, content)
        path.chmod(mode)
        self.changed.append(name)


def _new_master_key() -> bytes:
    """A key for each use. Those of releases without storage keys are not among them."""
    uses = derived_secrets(clock.new_secret(KEY_BYTES))
    return json.dumps({use: key.hex() for use, key in uses.items() if use not in FORMER_USES}).encode()


def make_secrets(folder: Path, url: str, owner: int | None = None) -> list[str]:
    """Make the folder complete. Returns the files that were written.

    `url` is where clients find the clinic. `owner` is the account of the services, by number, if this one may
    give files away.

    Raises:
        MisconfiguredError: a file that is there holds something else.
    """
    complete = Secrets(folder, urlsplit(url).hostname or "localhost", owner)
    complete.make()
    return complete.changed
