"""promtool, and a clinic whose services are processes with metrics of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.settings import Settings
from ops.embedded import EmbeddedStack
from tests.alerts.promtool import Promtool
from tests.alerts.scene import Scene, running_scene
from tests.contract_documents.test_clients import run

PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
# Without what finds targets in dozens of clouds.
TAGS = "remove_all_sd"


@pytest.fixture(scope="session")
async def promtool(tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    """Built from the pinned module; Go keeps what it compiled."""
    folder = tmp_path_factory.mktemp("promtool")
    path = folder / "promtool"
    go_mod, module = Path(__file__).parent, PACKAGE.removesuffix("/cmd/promtool")
    await run("go", "mod", "download", module, cwd=go_mod, skip="no Go modules here")
    await run("go", "build", "-mod=readonly", f"-tags={TAGS}", "-o", path, PACKAGE, cwd=go_mod)
    return Promtool(path, folder)


@pytest.fixture(scope="module")
async def scene(
    stack: EmbeddedStack, settings: Settings, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """All four services, a mail server, and a place for the heads of the trail."""
    folder = tmp_path_factory.mktemp("scene")
    witness = folder / "witness"
    witness.mkdir()
    own = settings.model_copy(
        update={
            "audit_head_interval_s": 0.1,
            "audit_witness_interval_s": 0.1,
            "audit_witness_url": SecretStr(witness.as_uri()),
            "kafka_ack_timeout_ms": 1_000,
            "login_failures_per_network_hour": 1_000_000,
            "requests_per_patient_minute": 200,
        }
    )
    async with running_scene(stack, own, template, folder, witness) as scene:
        yield scene
