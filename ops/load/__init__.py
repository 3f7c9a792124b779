"""`clinic load`: Locust against a running clinic, service levels that are checked, and a report."""

from importlib.util import find_spec

from infra.errors import MisconfiguredError


def check_installed() -> None:
    """Raises MisconfiguredError: Locust is not installed."""
    if find_spec("locust") is None:
        raise MisconfiguredError("`clinic load` needs Locust: python3 ops/install.py load")
