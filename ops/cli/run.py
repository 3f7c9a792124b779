"""`clinic run`: one service, which is loaded without what libraries load if it is there and no service uses.

That is a sixth of the time of its start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from ops.cli.options import DATA_DIR, DataDir

# Tracebacks for terminals, for which structlog and httpx look, and the SDK of metrics, for which redis does.
# (That of traces is loaded later, if there is a collector.)
UNUSED = ("rich", "opentelemetry.sdk")


@contextmanager
def lean_imports() -> Iterator[None]:
    """What is imported inside does not find these packages."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in UNUSED:
            del sys.modules[name]


class ServiceName(StrEnum):
    """The long-running processes."""

    INGRESS = "ingress"
    WORKER = "worker"
    AUDITOR = "auditor"
    NOTIFIER = "notifier"


def run(service: ServiceName, data: DataDir = DATA_DIR) -> None:
    """Run one service, at the addresses in the settings (CLINIC_… variables)."""
    from infra.settings import Settings

    settings = Settings.load(data)
    with lean_imports():
        if service is ServiceName.INGRESS:
            from ingress.main import main as serve
        elif service is ServiceName.AUDITOR:
            from auditor.main import main as serve
        elif service is ServiceName.NOTIFIER:
            from notifier.main import main as serve
        else:
            from booking_worker.main import main as serve
    serve(settings)
