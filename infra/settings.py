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
