"""`clinic run`: one service, which is loaded without what libraries load if it is there and no service uses.

That is a sixth of the time of its start.
"""

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from ops.cli.options import DATA_DIR, DataDir

if TYPE_CHECKING:
    from infra.settings import Settings

# Tracebacks for terminals, for which structlog and httpx look, and the SDK of metrics, for which redis does.
# (That of traces is loaded later, if there is a collector.)
UNUSED = ("rich", "opentelemetry.sdk")


class ServiceName(StrEnum):
    """The long-running processes."""

    INGRESS = "ingress"
    WORKER = "worker"
    AUDITOR = "auditor"
    NOTIFIER = "notifier"


def load(service: ServiceName) -> Callable[["Settings"], None]:
    """The `main` of a service, whose imports do not find what is `UNUSED`."""
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        if service is ServiceName.INGRESS:
            from ingress.main import main
        elif service is ServiceName.AUDITOR:
            from auditor.main import main
        elif service is ServiceName.NOTIFIER:
            from notifier.main import main
        else:
            from booking_worker.main import main
    finally:
        for name in UNUSED:
            del sys.modules[name]
    return main


def run(service: ServiceName, data: DataDir = DATA_DIR) -> None:
    """Run one service, at the addresses in the settings (CLINIC_… variables)."""
    from infra.settings import Settings

    load(service)(Settings.load(data))
