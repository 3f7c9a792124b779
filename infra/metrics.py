"""What the consumers count, each metric declared once with its meaning; served for Prometheus."""

import prometheus_client
from prometheus_client import Gauge

from infra.settings import Settings

PARTITION_STOPPED = Gauge(
    "clinic_partition_stopped",
    "1 while a partition that this process owns waits for an operator: its log says why. Alert on it.",
    ("topic", "partition"),
)


def serve_metrics(settings: Settings) -> None:
    """Serve `/metrics` from now on, where the settings name a port."""
    if settings.metrics_port:
        prometheus_client.start_http_server(settings.metrics_port, settings.host)
