"""The health check of a container: ready, not ready, and standing still."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import metrics
from infra.settings import Settings
from ops.compose.liveness import check
from ops.tls.certificates import Authority
from tests.clinic import free_port


@contextlib.contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process to be ended, or not."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of `localhost` with its key, and the authority's."""
    folder, authority = tmp_path_factory.mktemp("tls"), Authority.new()
    (folder / "ca.pem").write_bytes(authority.pem())
    (folder / "tls.pem").write_bytes(authority.issue(["localhost"]))
    return folder / "tls.pem", folder / "ca.pem"


@pytest.mark.parametrize(
    ("not_live", "not_ready", "well", "ended"),
    [
        (None, None, True, False),
        (None, "Postgres is away", False, False),
        ("stands still", "it", False, True),
    ],
)
def test_only_a_service_that_stands_still_is_ended(
    not_live: str | None, not_ready: str | None, well: bool, ended: bool, files: tuple[Path, Path]
) -> None:
    tls_file, ca_file = files
    settings = Settings(metrics_port=free_port(), tls_file=tls_file)
    metrics.serve_monitoring(settings, lambda: not_live, lambda: not_ready)

    with sleeper() as service:
        assert check(f"https://localhost:{settings.metrics_port}", str(ca_file), service.pid) is well
        if ended:
            assert service.wait(timeout=30) == -signal.SIGTERM
        else:
            assert service.poll() is None


def test_a_service_that_does_not_answer_may_be_starting(files: tuple[Path, Path]) -> None:
    with sleeper() as service:
        assert check(f"https://localhost:{free_port()}", str(files[1]), service.pid) is False
        assert service.poll() is None


@pytest.mark.parametrize("module", ["liveness", "__main__"])
def test_it_runs_where_no_package_is_installed(module: str) -> None:
    source = Path(check.__code__.co_filename).parents[2]
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import ops.compose.{module}"
    assert subprocess.run([sys.executable, "-I", "-S", "-c", code], check=False).returncode == 0
