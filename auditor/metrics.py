"""The auditor's metrics, each declared once with its meaning."""

from prometheus_client import Counter, Gauge

ENTRIES = Counter("clinic_audit_entries", "Entries that this process added to the audit trail.", ("chain",))
HEADS = Counter("clinic_audit_heads", "Heads of the audit trail that this process signed.", ("chain",))
END_BROKEN = Gauge(
    "clinic_audit_end_broken",
    "1 while the end of a chain is not the one that the audit key signed: no head is signed. Alert on it.",
)
WITNESS_FAILING = Gauge(
    "clinic_audit_witness_failing",
    "1 while the witness does not take the signed heads of the audit trail. Alert on it.",
)
RETENTION_BROKEN = Gauge(
    "clinic_audit_retention_broken",
    "1 while a month past retention does not verify, so that it is kept. Alert on it.",
)
