"""The one place that reads the environment: every setting is `CLINIC_<NAME>`, or a line of a `stack.env`."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from contracts.fields import TimeZone
from infra.errors import MisconfiguredError
from infra.settings.http_limits import HttpLimits

DEFAULT_DATA_DIR = Path(".clinic")


class Settings(HttpLimits):
    """Addresses, credentials and limits of one clinic. Units are in the names.

    Environment variables win over the `stack.env` of a running embedded stack, and that over `secrets_dir`.
    """

    model_config = SettingsConfigDict(env_prefix="CLINIC_", extra="ignore", frozen=True)

    production: bool = Field(default=False, description="refuse what is only for trying the clinic")
    url: str = "http://127.0.0.1:8000"
    origin: str | None = Field(
        default=None, pattern=r"^https?://[a-z0-9.-]+(:[0-9]+)?$", description="of the pages; that of `url`"
    )
    host: str = "127.0.0.1"
    port: int = 8000
    tls_file: Path | None = Field(
        default=None, description="certificate, chain and key, PEM: HTTP and metrics are served with TLS"
    )
    ca_file: Path | None = Field(
        default=None, description="authorities of https: of its own addresses, and of the SMS gateway"
    )
    http_proxies: str = Field(
        default="127.0.0.1,::1", description="addresses or networks whose X-Forwarded-For is believed"
    )
    secrets_dir: Path | None = Field(default=None, description="more settings, each in a file of its name")
    name: str = Field(default="Clinic", description="the clinic's name in mails and on the pages")
    phone: str | None = Field(
        default=None,
        pattern=r"^\+?[0-9][0-9 ()/-]{2,30}$",
        description="for patients who get no further on the pages",
    )
    address: str | None = Field(default=None, description="where patients come to, on one line")
    accent_colour: str = Field(
        default="#0b5cad",
        pattern="^#[0-9a-fA-F]{6}$",
        description="of the pages; made darker or lighter where text in it would be hard to read",
    )
    demo: bool = Field(default=False, description="mails stay here: the login page says how to read them")
    language: Literal["en", "de"] = Field(default="en", description="of patients who have chosen none")
    languages: str = Field(
        default="en,de", pattern="^(en|de)(,(en|de))*$", description="of the pages, the clinic's own first"
    )
    time_zone: TimeZone = Field(default="Europe/Berlin", description="the clinic's zone (IANA), and doctors'")

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_replication_factor: int = Field(default=3, ge=1, description="1 is for development only")
    kafka_ack_timeout_ms: int = Field(default=5_000, description="after this the ingress responds 503")

    availability_cache_bytes: int = Field(
        default=64 * 1024 * 1024, ge=0, description="of an ingress, for responses about free slots"
    )
    busy_after_s: float = Field(default=30.0, description="with more to decide, the response is 503 `busy`")

    postgres_dsn: SecretStr = Field(
        default=SecretStr("postgresql://postgres@127.0.0.1:5432/clinic"),
        description="of the owner, for the operator's commands; a service refuses to run as the owner",
    )
    postgres_dsn_ingress: SecretStr | None = None
    postgres_dsn_worker: SecretStr | None = None
    postgres_dsn_auditor: SecretStr | None = None
    postgres_dsn_notifier: SecretStr | None = None
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")

    signing_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "signing.pem",
        description="Ed25519 private keys, PKCS #8 PEM: the first signs access tokens (`clinic keys rotate`)",
    )
    master_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "master.key",
        description="32 random bytes, hex: seals receipts, fingerprints, notes and login challenges",
    )
    storage_key_dir: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "storage",
        description="storage keys by epoch, which wrap the patients' data keys: outside of all backups",
    )
    storage_key_days: int = Field(
        default=21,
        ge=1,
        le=27,
        description="a new epoch after that; data that was forgotten is unreadable a few days later",
    )
    audit_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "audit.pem",
        description="Ed25519 private key, PKCS #8 PEM: signs the heads of the audit trail",
    )
    events_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "events.key",
        description="32 random bytes, hex: shows that a worker wrote an event; the ingress has no use for it",
    )
    audit_head_entries: int = Field(default=1_000, ge=1, description="entries between two signed heads")
    audit_head_interval_s: float = Field(
        default=60.0, gt=0, description="a signed head of chains that have grown at least this often"
    )
    audit_witness_url: SecretStr | None = Field(
        default=None,
        description="a place outside that keeps signed heads: file:///FOLDER, mailto:ADDRESS or https://…",
    )
    audit_witness_interval_s: float = Field(
        default=3600.0, gt=0, description="new heads are sent there this often"
    )
    audit_retention_years: int = Field(default=7, ge=1, description="whole months are dropped after that")
    patient_retention_years: int = Field(
        default=7, ge=1, description="who was not seen for so long is forgotten; not above the trail's years"
    )

    mail_sender: str = Field(default="clinic@example.org", description="the address that mails come from")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 587
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        default="starttls",
        description="the server's certificate is checked; `none` is for a server on this host",
    )
    smtp_ca_file: Path | None = Field(default=None, description="authorities; the system's by default")
    smtp_utf8: bool = Field(
        default=False, description="it takes addresses such as jörg@example.org (SMTPUTF8)"
    )
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_connections: int = Field(default=4, ge=1, le=64, description="of each notifier; one more for codes")
    smtp_messages_per_connection: int = Field(default=100, ge=1)
    smtp_rate_per_s: float = Field(
        default=15.0,
        gt=0,
        description="messages per second of each notifier, as the mail relay accepts; login codes go first",
    )
    smtp_timeout_s: float = Field(default=15.0, gt=0, description="for each reply of the server")
    smtp_accept_timeout_s: float = Field(
        default=240.0,
        gt=0,
        description="for the reply to a whole message: one that is accepted later is delivered twice",
    )

    sms_url: SecretStr | None = Field(
        default=None,
        description="gateway that accepts text messages by POST; without one, everything is sent by mail",
    )
    sms_request: str = Field(
        default='{"to": "{to}", "text": "{text}"}',
        description="its request: JSON with {to} and {text} (and {id}, the same on a repeat) in strings",
    )
    sms_token: SecretStr | None = Field(default=None, description="sent as a bearer token")
    sms_rate_per_s: float = Field(default=10.0, gt=0)
    sms_timeout_s: float = Field(default=15.0, gt=0)

    reminder_hours_before: str = Field(
        default="24,2",
        pattern=r"^([1-9]\d{0,2}(,[1-9]\d{0,2})*)?$",
        description="hours before a visit at which reminders are due",
    )
    notice_deadline_hours: float = Field(
        default=72.0, gt=0, description="confirmations, reschedules and cancellations are tried for this long"
    )
    notify_lease_s: float = Field(
        default=60.0,
        gt=0,
        description="when a notifier dies, another takes over its notifications after this",
    )

    namespace: str = Field(
        default="", description="prefix of topics, groups and channels, so that clinics can share servers"
    )
    instance: str | None = Field(
        default=None, description="stable name of this process, for Kafka's static membership (KIP-345)"
    )
    session_timeout_ms: int = 6_000
    progress_timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="a consumer that makes no progress for this long, without a known outage, is restarted",
    )
    metrics_port: int = Field(default=0, description="port on which a consumer serves /metrics; 0: none")
    log_level: str = "INFO"
    otlp_endpoint: str | None = Field(default=None, pattern="^https?://", description="collector of traces")
    otlp_ca_file: Path | None = Field(default=None, description="its authorities; the public ones by default")

    @classmethod
    def load(cls, data_dir: Path | None = None) -> "Settings":
        """The environment, completed by the `stack.env` of an embedded stack, and by the files of secrets.

        Raises:
            MisconfiguredError: a setting has a value that it cannot have.
        """
        env_file = (data_dir or DEFAULT_DATA_DIR) / "stack.env"
        try:
            return cls(
                _env_file=env_file if env_file.is_file() else None,
                _secrets_dir=os.environ.get("CLINIC_SECRETS_DIR"),
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise MisconfiguredError(f"CLINIC_{str(first['loc'][0]).upper()}: {first['msg']}.") from None

    @property
    def reminder_hours(self) -> tuple[int, ...]:
        """How long before a visit its reminders fall due, hours, the earliest first."""
        hours = {int(part) for part in self.reminder_hours_before.split(",") if part}
        return tuple(sorted(hours, reverse=True))

    @property
    def page_languages(self) -> tuple[str, ...]:
        """The languages of the pages, each once."""
        return tuple(dict.fromkeys(self.languages.split(",")))

    @property
    def ingress_dsn(self) -> str:
        """Connection string of the ingress's database role. Raises MisconfiguredError if it is not set."""
        return self._dsn("ingress", self.postgres_dsn_ingress)

    @property
    def worker_dsn(self) -> str:
        """The booking worker's; raises the same."""
        return self._dsn("worker", self.postgres_dsn_worker)

    @property
    def auditor_dsn(self) -> str:
        """The auditor's; raises the same."""
        return self._dsn("auditor", self.postgres_dsn_auditor)

    @property
    def notifier_dsn(self) -> str:
        """The notifier's; raises the same."""
        return self._dsn("notifier", self.postgres_dsn_notifier)

    @staticmethod
    def _dsn(service: str, dsn: SecretStr | None) -> str:
        if dsn is None:
            name = f"CLINIC_POSTGRES_DSN_{service.upper()}"
            raise MisconfiguredError(f"{name} is not set: each service has a database role of its own.")
        return dsn.get_secret_value()
