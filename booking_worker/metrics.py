"""The worker's metrics, each declared once with its meaning."""

from prometheus_client import Counter, Histogram

from contracts.dead_letters import DeadLetterReason

DECIDED = Counter(
    "clinic_commands_decided", "Commands that this process decided, by the decision's state.", ("state",)
)
TRANSACTION_SECONDS = Histogram(
    "clinic_transaction_seconds",
    "Duration of a deciding transaction, from begin to commit.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5),
)
DEAD_LETTERS = Counter("clinic_dead_letters", "Records dead-lettered, by reason.", ("reason",))
# From 0 on, here and wherever the first one is worth an alert: `increase` does not see a series begin with 1.
for _reason in DeadLetterReason:
    DEAD_LETTERS.labels(_reason)
