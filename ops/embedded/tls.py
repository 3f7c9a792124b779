"""TLS of an embedded stack: an authority of its own, and a certificate for each part.

`tls/` in the data folder: `ca.pem` for clients, `ca.key`, and `NAME.pem`, certificate and key, for the part
of that name. A start renews the certificates that end within `RENEWED_BEFORE_END`.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

from ops import probes
from ops.access import OPERATOR
from ops.embedded.folder import DataFolder
from ops.embedded.process import Child
from ops.tls.certificates import Authority

HOSTS = ("127.0.0.1", "localhost")


class Tls:
    """The certificates in a data folder, and the settings of clients that check them.

    Raises:
        MisconfiguredError: a file of the authority holds something else.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._home = folder.path / "tls"
        self._folder = folder
        self.ca_file = self._home / "ca.pem"
        self._authority = Authority.kept(self.ca_file, self._home / "ca.key")

    def certificate(self, name: str) -> Path:
        """The file of a part's certificate and key, PEM, mode 0600; made or renewed now."""
        path = self._home / f"{name}.pem"
        self._authority.keep(path, HOSTS)
        return path

    def postgres_query(self) -> str:
        """The end of an address of Postgres."""
        # Direct: TLS from the first byte (`ops.tls.front`).
        return f"?sslmode=verify-full&sslnegotiation=direct&sslrootcert={quote(str(self.ca_file))}"

    def redis_query(self) -> str:
        """The end of an address of Valkey."""
        return f"?ssl_ca_certs={quote(str(self.ca_file))}"

    def settings(self) -> dict[str, str]:
        """How each server is reached, the addresses aside."""
        ca_file = str(self.ca_file)
        return {
            "ca_file": ca_file,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_ca_file": ca_file,
            "smtp_tls": "implicit",
            "smtp_ca_file": ca_file,
            **self.kafka_login(OPERATOR),
        }

    def own_settings(self, service: str) -> dict[str, str]:
        """Credentials of a service, and the certificate of what it serves."""
        return {"tls_file": str(self.certificate(service)), **self.kafka_login(service)}

    def front(self, sockets: Mapping[int, Path]) -> Child:
        """The process that listens for servers on Unix sockets, by port; not started yet."""
        pairs = [f"{port}={path}" for port, path in sockets.items()]
        return Child(
            "tls",
            [sys.executable, "-m", "ops.tls.front", self.certificate("tls"), *pairs],
            data_dir=self._folder.path,
            probe=partial(probes.listening, *sockets),
        )

    def kafka_login(self, user: str) -> dict[str, str]:
        """Settings with the credentials of a user of Kafka."""
        return {
            "kafka_sasl_username": user,
            "kafka_sasl_password": self._folder.secret(f"kafka-{user}.password"),
        }
