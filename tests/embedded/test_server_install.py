"""The README's "Running it elsewhere", in an environment made from the server lock."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.clinic import free_port
from tests.ops.conftest import own, unmigrated  # noqa: F401 (fixtures)
from tests.processes import environment
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SERVICES = ("ingress", "worker", "auditor", "notifier")
CONSUMERS = SERVICES[1:]
START_TIMEOUT_S = 180.0


def commands() -> list[str]:
    """The section's lines for the shell, without comments."""
    section = (ROOT / "README.md").read_text().partition("## Running it elsewhere")[2].partition("\n## ")[0]
    return re.findall(r"^    (\S.*?)(?: +#.*)?$", section, re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A clone without an environment or data of its own."""
    folder = tmp_path / "clinic"
    ignored = shutil.ignore_patterns(".venv", ".clinic", ".git", "tests", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=ignored)
    yield folder
    shutil.rmtree(folder)


def test_the_section_works_as_printed(checkout: Path, unmigrated: Settings) -> None:  # noqa: F811
    ports = {service: free_port() for service in SERVICES}
    url = f"http://127.0.0.1:{ports['ingress']}"
    variables = environment(unmigrated.model_copy(update={"url": url, "port": ports["ingress"]}))
    variables = {name: value for name, value in variables.items() if not name.endswith("_KEY_FILE")}
    variables |= {
        f"CLINIC_METRICS_URL_{service.upper()}": f"http://127.0.0.1:{ports[service]}" for service in CONSUMERS
    }
    variables["PATH"] = f"{Path(sys.executable).parent}:/usr/bin:/bin"

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, shell=True, cwd=checkout, env=variables, capture_output=True, text=True, timeout=240
        )

    *preparing, running, asking = commands()
    assert (running, asking) == (".venv/bin/clinic run ingress", ".venv/bin/clinic health")
    for line in preparing:
        done = shell(line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    with ExitStack() as exits:
        for service in SERVICES:
            metrics_port = "0" if service == "ingress" else str(ports[service])
            process = exits.enter_context(
                subprocess.Popen(
                    running.replace("ingress", service).split(),
                    cwd=checkout,
                    env={**variables, "CLINIC_METRICS_PORT": metrics_port},
                    stdout=subprocess.DEVNULL,
                )
            )
            exits.callback(process.terminate)
        until(lambda: shell(asking).returncode == 0, "all parts are well", START_TIMEOUT_S)
        health = shell(asking).stdout
        assert all(re.search(rf"^{name} +up ", health, re.MULTILINE) for name in ("kafka", *CONSUMERS)), (
            health
        )
        assert all(str(port) in health for port in ports.values()), "it names the addresses that it tried"

    assert shell(asking).returncode == 1, "no process is left"
    up = shell(".venv/bin/clinic up")
    assert (up.returncode, up.stdout) == (1, "")
    assert up.stderr.endswith("python3 ops/install.py embedded\n")
    assert up.stderr.count("\n") == 1
