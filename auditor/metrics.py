"""What the auditor counts: each metric declared once, with its meaning."""

from prometheus_client import Counter, Gauge

ENTRIES = Counter("clinic_audit_entries", "Entries added to the audit trail here.", ("chain",))
HEADS = Counter("clinic_audit_heads", "Heads of the audit trail signed here.", ("chain",))
END_BROKEN = Gauge(
    "clinic_audit_end_broken",
    "1 while a chain's end is not what the audit key signed, so that no head of it is signed. Alert on it.",
)
RETENTION_BROKEN = Gauge(
    "clinic_audit_retention_broken",
    "1 while a month of the trail is too old and does not verify, so that it is kept. Alert on it.",
)
