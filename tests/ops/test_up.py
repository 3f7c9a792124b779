"""`clinic up` on a data folder whose topics differ from the contract."""

import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import connection
from ops.embedded import EmbeddedStack

TIMEOUT_S = 60.0


@pytest.fixture
async def port(tmp_path: Path) -> int:
    """The HTTP port of a stack in `tmp_path` that was stopped after it got a wrong topic."""
    async with EmbeddedStack(tmp_path) as stack:
        admin = AIOKafkaAdminClient(**connection(stack.settings))
        await admin.start()
        await admin.create_topics([NewTopic(COMMANDS_TOPIC.name, 3, 1)])
        await admin.close()
        return stack.settings.port


def test_it_does_not_start_and_says_why_in_one_sentence(tmp_path: Path, port: int) -> None:
    up = subprocess.run(
        [sys.executable, "-m", "ops.cli", "up", "--no-seed", "--data", tmp_path, "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )

    assert up.returncode == 1
    assert up.stderr.startswith("Topics differ from the contract: booking.commands.v1 has 3 partitions and")
    assert up.stderr.count("\n") == 1
    assert not list(tmp_path.glob("run/*.pid"))
