"""Services as processes of their own, as `clinic up` runs them."""

import sys
from pathlib import Path

from pydantic import SecretStr

from infra.settings import Settings
from ops.embedded import Child
from ops.probes import Probe


def environment(settings: Settings) -> dict[str, str]:
    """The settings as `CLINIC_…` variables."""
    values = {}
    for name, value in settings:
        if value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            values[f"CLINIC_{name.upper()}"] = text
    return values


def service(kind: str, directory: Path, settings: Settings, name: str, probe: Probe | None = None) -> Child:
    """`clinic run <kind>` on these settings, its log and pid file in `directory`; not started yet."""
    for folder in ("run", "logs"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "ops.cli", "run", kind, "--data", str(directory)]
    variables = {**environment(settings), "CLINIC_INSTANCE": name}
    return Child(name, argv, data_dir=directory, env=variables, probe=probe)
