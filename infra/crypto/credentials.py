"""Settings that are credentials, or name key files, by the services that need them."""

from collections.abc import Mapping

COMMON_SECRETS = frozenset({"redis_url", "kafka_sasl_username", "kafka_sasl_password"})
SECRETS = {
    "ingress": frozenset({"postgres_dsn_ingress", "signing_key_file", "master_key_file", "storage_key_dir"}),
    "worker": frozenset({"postgres_dsn_worker", "events_key_file"}),
    "auditor": frozenset(
        {"postgres_dsn_auditor", "audit_key_file", "events_key_file"}
        | {"audit_witness_url", "smtp_username", "smtp_password"}
    ),
    "notifier": frozenset(
        {"postgres_dsn_notifier", "master_key_file", "storage_key_dir", "events_key_file"}
        | {"smtp_username", "smtp_password", "sms_url", "sms_token"}
    ),
    "operator": frozenset({"postgres_dsn"}),
}
"""Credentials and key files that each service needs, and nobody else. All need `COMMON_SECRETS`."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the clinic's credentials and key files."""
    secrets = {f"CLINIC_{name.upper()}" for name in COMMON_SECRETS.union(*SECRETS.values())}
    return {name: value for name, value in environment.items() if name not in secrets}
