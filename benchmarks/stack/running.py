"""Find the running stack."""

from pathlib import Path

import httpx
import psutil

from infra.errors import ClinicError
from infra.settings import Settings

ANSWER_TIMEOUT_S = 5.0


class NoStackError(ClinicError):
    """Nothing runs that could be measured."""


def find(data_dir: Path) -> Settings:
    """The settings of the stack that runs on the data folder.

    Raises:
        NoStackError: none does.
    """
    try:
        runs = psutil.pid_exists(int((data_dir / "run" / "up.pid").read_text()))
    except (OSError, ValueError):
        runs = False
    if not runs:
        raise NoStackError(f"No clinic runs on the data folder {data_dir}: start one with `make up`.")
    settings = Settings.load(data_dir)
    try:
        answer = httpx.get(f"{settings.url}/health/ready", timeout=ANSWER_TIMEOUT_S, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError:
        raise NoStackError(f"The clinic on {data_dir} is not ready at {settings.url}.") from None
    return settings
