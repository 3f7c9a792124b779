"""Metrics that services share, each declared once with its meaning, and the port that serves consumers'."""

import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dotenv import dotenv_values
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import choose_encoder

from infra.crypto.tls import serving_context
from infra.errors import MisconfiguredError
from infra.settings import Settings

OPENMETRICS = "application/openmetrics-text"
METRICS_URL_PREFIX = "CLINIC_METRICS_URL_"

PARTITION_STOPPED = Gauge(
    "clinic_partition_stopped",
    "1 while a partition of this process is stopped until an operator intervenes: see the log. Alert on it.",
    ("topic", "partition"),
)

PARTITION_PAUSED = Gauge(
    "clinic_partition_paused",
    "1 while a partition of this process is paused by an operator (`clinic pause`).",
    ("topic", "partition"),
)

RECORDS_SKIPPED = Counter(
    "clinic_records_skipped",
    "Records of an expiring topic that were deleted before they were read.",
    ("topic",),
)
FOREIGN_EVENTS = Counter(
    "clinic_foreign_events",
    "Records on the events' topic that no worker wrote, and that were passed over. Alert on it.",
    ("topic", "partition"),
)
KAFKA_ERRORS = Counter(
    "clinic_kafka_client_errors",
    "Errors that the Kafka client logged, fetch errors among them, by logger. Alert if they persist.",
    ("logger",),
)

POSTGRES_WAIT_SECONDS = Histogram(
    "clinic_postgres_wait_seconds",
    "Time that work waited for a connection to Postgres when none was idle, opening a new one included.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10),
)

Reason = Callable[[], str | None]


def exposition(accept: str) -> tuple[str, bytes]:
    """The metrics of this process with their media type: OpenMetrics where it is accepted."""
    if OPENMETRICS in accept:
        encode, media_type = choose_encoder(OPENMETRICS)
        return media_type, encode(REGISTRY)
    return CONTENT_TYPE_LATEST, generate_latest()


def serve_monitoring(settings: Settings, not_live: Reason, not_ready: Reason) -> None:
    """Serve `/metrics`, `/health/live` and `/health/ready` from now on, where the settings name a port.

    In separate threads, so that they respond even while the event loop is blocked. `not_live` and
    `not_ready` return the reason why, or None.

    Raises:
        MisconfiguredError: the port cannot be used.
    """
    if not settings.metrics_port:
        return

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            match self.path:
                case "/metrics":
                    self._answer(200, *exposition(self.headers.get("Accept", "")))
                case "/health/live":
                    self._health("live", not_live())
                case "/health/ready":
                    self._health("ready", not_ready())
                case _:
                    self._answer(404, "application/json", b'{"status": "not_found"}')

        def _health(self, status: str, reason: str | None) -> None:
            body = {"status": status} if reason is None else {"status": f"not_{status}", "reason": reason}
            self._answer(200 if reason is None else 503, "application/json", json.dumps(body).encode())

        def _answer(self, status: int, media_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass  # a probe every few seconds

    try:
        server = ThreadingHTTPServer((settings.host, settings.metrics_port), Handler)
    except OSError as error:
        raise MisconfiguredError(f"Port {settings.metrics_port} cannot serve metrics: {error}.") from None
    if context := serving_context(settings.tls_file):
        # The handshake is left to the connection's thread: a client that does not speak holds up nobody else.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
    threading.Thread(target=server.serve_forever, name="monitoring", daemon=True).start()


def monitoring_urls(data_dir: Path) -> dict[str, str]:
    """The URL of each consumer's metrics and health, by name: `CLINIC_METRICS_URL_WORKER_1=…`.

    From the environment, completed by `<data_dir>/stack.env`.
    """
    values = {**dotenv_values(data_dir / "stack.env"), **os.environ}
    return {
        name.removeprefix(METRICS_URL_PREFIX).lower().replace("_", "-"): value.rstrip("/")
        for name, value in sorted(values.items())
        if name.startswith(METRICS_URL_PREFIX) and value
    }
