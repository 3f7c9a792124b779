"""The notifier's metrics, each declared once with its meaning."""

from prometheus_client import Counter, Gauge, Histogram

from notifier.content.notification import Kind

PLANNED = Counter("clinic_notifications_planned", "Notifications planned.", ("kind",))
FINISHED = Counter(
    "clinic_notifications_finished",
    "Notifications sent, dropped or undeliverable. Alert on undeliverable.",
    ("kind", "state"),
)
for _kind in Kind:
    FINISHED.labels(_kind, "undeliverable")  # from 0 on: `increase` does not see a series begin with 1
FAILED_TRIES = Counter(
    "clinic_notifier_failed_tries",
    "Failed attempts at notifications that are retried.",
    ("channel",),
)
REPEATS = Counter(
    "clinic_notifier_repeats",
    "Notifications sent again although a server may have accepted them: the patient may get them twice.",
)
SENT_AFTER_SECONDS = Histogram(
    "clinic_notification_sent_after_seconds",
    "From the moment a notification was due until a server had accepted it.",
    ("kind",),
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3_600, 21_600, 86_400),
)
CHANNEL_CLOSED = Gauge(
    "clinic_notifier_channel_closed",
    "1 while nothing is sent because the server is unavailable or rejects us: see the log. Alert on it.",
    ("channel",),
)
