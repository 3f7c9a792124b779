"""What the notifier counts: each metric declared once, with its meaning."""

from prometheus_client import Counter, Gauge, Histogram

PLANNED = Counter("clinic_notifications_planned", "Letters planned here.", ("kind",))
FINISHED = Counter(
    "clinic_notifications_finished",
    "Letters that ended here: sent, dropped, undeliverable. Alert on undeliverable.",
    ("kind", "state"),
)
FAILED_TRIES = Counter(
    "clinic_notifier_failed_tries",
    "Tries that did not deliver, of letters that are tried again.",
    ("channel",),
)
REPEATS = Counter(
    "clinic_notifier_repeats",
    "Letters begun once more although a server may have taken them: the patient may have them twice.",
)
SENT_AFTER_SECONDS = Histogram(
    "clinic_notification_sent_after_seconds",
    "From the moment a letter was due until a server had taken it.",
    ("kind",),
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 300, 3_600, 21_600, 86_400),
)
CHANNEL_CLOSED = Gauge(
    "clinic_notifier_channel_closed",
    "1 while nothing is sent because the server is away or refuses us: the log says why. Alert on it.",
    ("channel",),
)
