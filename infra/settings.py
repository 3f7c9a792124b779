"""The one place that reads the environment: every setting is `CLINIC_<NAME>`, or a line of a `stack.env`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_DATA_DIR = Path(".clinic")


class Settings(BaseSettings):
    """Addresses, credentials and limits of one clinic. Units are in the names.

    Environment variables win over the `stack.env` of a running embedded stack (`load`).
    """

    model_config = SettingsConfigDict(env_prefix="CLINIC_", extra="ignore", frozen=True)

    url: str = "http://127.0.0.1:8000"
    host: str = "127.0.0.1"
    port: int = 8000
    name: str = Field(default="Clinic", description="the clinic's name, as it stands in mails")
    language: Literal["en", "de"] = Field(default="en", description="of patients who have chosen none")
    time_zone: str = Field(default="Europe/Berlin", description="the clinic's IANA zone, a doctor's default")

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_replication_factor: int = 1
    kafka_ack_timeout_ms: int = Field(default=5_000, description="after this the ingress answers 503")

    busy_after_s: float = Field(
        default=30.0, description="with more than this to decide, the ingress answers 503 `busy`"
    )

    postgres_dsn: SecretStr = SecretStr("postgresql://postgres@127.0.0.1:5432/clinic")
    postgres_dsn_ingress: SecretStr | None = None
    postgres_dsn_worker: SecretStr | None = None
    postgres_dsn_auditor: SecretStr | None = None
    postgres_dsn_notifier: SecretStr | None = None
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")

    signing_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "signing.pem",
        description="Ed25519 private key, PKCS #8 PEM: signs access tokens",
    )
    master_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "master.key",
        description="32 random bytes, hex: seals personal data, receipts and fingerprints",
    )
    audit_key_file: Path = Field(
        default=DEFAULT_DATA_DIR / "keys" / "audit.pem",
        description="Ed25519 private key, PKCS #8 PEM: signs the heads of the audit trail",
    )
    audit_head_entries: int = Field(default=1_000, ge=1, description="a signed head every so many entries")
    audit_head_interval_s: float = Field(
        default=60.0, gt=0, description="and this often, where there is something new"
    )
    audit_retention_years: int = Field(default=7, ge=1, description="older months are dropped whole")

    mail_sender: str = Field(default="clinic@example.org", description="the address that mails come from")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = 587
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        default="starttls",
        description="the server's certificate is checked; `none` is for a server on this host",
    )
    smtp_ca_file: Path | None = Field(
        default=None, description="who signed it; the system's authorities if not"
    )
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_connections: int = Field(
        default=4, ge=1, le=64, description="of each notifier, and one more for codes"
    )
    smtp_messages_per_connection: int = Field(default=100, ge=1)
    smtp_rate_per_s: float = Field(default=50.0, gt=0, description="messages a second, of each notifier")
    smtp_timeout_s: float = Field(default=15.0, gt=0, description="for each answer of the server")
    smtp_accept_timeout_s: float = Field(
        default=240.0,
        gt=0,
        description="for the answer to a whole message: one that is accepted later than this comes twice",
    )

    sms_url: SecretStr | None = Field(
        default=None, description="a gateway that takes text messages by POST; without one, all goes by mail"
    )
    sms_request: str = Field(
        default='{"to": "{to}", "text": "{text}"}',
        description="its request: JSON, {to} and {text} (and {id}, the same on a repeat) inside of strings",
    )
    sms_token: SecretStr | None = Field(default=None, description="sent as a bearer token")
    sms_rate_per_s: float = Field(default=10.0, gt=0)
    sms_timeout_s: float = Field(default=15.0, gt=0)

    reminder_hours_before: str = Field(
        default="24,2",
        pattern=r"^([1-9]\d{0,2}(,[1-9]\d{0,2})*)?$",
        description="a reminder so long before a visit",
    )
    notice_deadline_hours: float = Field(
        default=72.0, gt=0, description="a confirmation, reschedule or cancellation is tried so long"
    )
    notify_lease_s: float = Field(
        default=60.0, gt=0, description="when a notifier dies, another sends what it held after this"
    )

    namespace: str = Field(
        default="", description="prefix of topics, groups and channels, so that clinics can share servers"
    )
    instance: str | None = Field(
        default=None, description="stable name of this process, for Kafka's static membership (KIP-345)"
    )
    session_timeout_ms: int = 6_000
    metrics_port: int = Field(default=0, description="where a consumer serves /metrics; 0: nowhere")
    log_level: str = "INFO"

    @classmethod
    def load(cls, data_dir: Path | None = None) -> "Settings":
        """The environment, completed by `<data_dir>/stack.env` when an embedded stack has written one."""
        env_file = (data_dir or DEFAULT_DATA_DIR) / "stack.env"
        return cls(_env_file=env_file if env_file.is_file() else None)

    @property
    def reminder_hours(self) -> tuple[int, ...]:
        """How long before a visit its reminders fall due, hours, the earliest first."""
        return tuple(
            sorted({int(part) for part in self.reminder_hours_before.split(",") if part}, reverse=True)
        )

    @property
    def ingress_dsn(self) -> str:
        """Connection string of the ingress's database role."""
        return (self.postgres_dsn_ingress or self.postgres_dsn).get_secret_value()

    @property
    def worker_dsn(self) -> str:
        """Connection string of the booking worker's database role."""
        return (self.postgres_dsn_worker or self.postgres_dsn).get_secret_value()

    @property
    def auditor_dsn(self) -> str:
        """Connection string of the auditor's database role."""
        return (self.postgres_dsn_auditor or self.postgres_dsn).get_secret_value()

    @property
    def notifier_dsn(self) -> str:
        """Connection string of the notifier's database role."""
        return (self.postgres_dsn_notifier or self.postgres_dsn).get_secret_value()
