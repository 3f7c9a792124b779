"""Imports without what libraries load if it is there and no service uses: a sixth of a start's time."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Tracebacks for terminals, for which structlog and httpx look, and the SDK of metrics, for which redis does.
# (That of traces is loaded later, if there is a collector.)
UNUSED = ("rich", "opentelemetry.sdk")


@contextmanager
def lean_imports() -> Iterator[None]:
    """What is imported inside does not find these packages. Nothing is garbage meanwhile, nor looked for."""
    gc.disable()
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in UNUSED:
            del sys.modules[name]
        gc.enable()
