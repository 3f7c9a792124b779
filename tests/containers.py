"""The same three servers from their official images, where a Docker engine is present."""

import contextlib
import gc
import warnings
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from infra.settings import Settings
from ops import probes
from ops.embedded import postgres
from ops.embedded.folder import DataFolder, port_is_free
from tests.waiting import until_answers

KAFKA_IMAGE = "apache/kafka:4.4.0"
POSTGRES_IMAGE = "postgres:18"
VALKEY_IMAGE = "valkey/valkey:9"
START_TIMEOUT_S = 90


@contextlib.asynccontextmanager
async def container_stack(directory: Path) -> AsyncIterator[Settings]:
    """Start the containers, create database, roles and keys, and remove everything at the end.

    Skips the test when no Docker engine answers.
    """
    if reason := _why_no_engine():
        pytest.skip(f"--stack=containers needs a Docker engine, and none answers: {reason}")
    with DataFolder(directory) as folder, contextlib.ExitStack() as exits:
        port = next(port for port in folder.ports().values() if port_is_free(port))
        password = folder.secret("postgres.password")
        kafka = exits.enter_context(_kafka(port))
        database = exits.enter_context(
            DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", password).with_exposed_ports(5432)
        )
        valkey = exits.enter_context(DockerContainer(VALKEY_IMAGE).with_exposed_ports(6379))
        host = database.get_container_host_ip()
        server = f"{host}:{database.get_exposed_port(5432)}"
        passwords = {role: folder.secret(f"{role}.password") for role in postgres.ROLES}
        settings = Settings.model_validate(
            {
                "kafka_bootstrap": f"{kafka.get_container_host_ip()}:{port}",
                "kafka_replication_factor": 1,
                "demo": True,  # as the embedded stack is: a page tells of it
                "postgres_dsn": f"postgresql://postgres:{password}@{server}/clinic",
                **{
                    f"postgres_dsn_{role.removeprefix('clinic_')}": f"postgresql://{role}:{word}@{server}/clinic"
                    for role, word in passwords.items()
                },
                "redis_url": f"redis://{valkey.get_container_host_ip()}:{valkey.get_exposed_port(6379)}/0",
                "signing_key_file": folder.signing_key_file(),
                "audit_key_file": folder.audit_key_file(),
                "master_key_file": folder.master_key_file(),
                "storage_key_dir": folder.storage_key_dir(),
                "events_key_file": folder.events_key_file(),
            }
        )
        owner_dsn = f"postgresql://postgres:{password}@{server}/postgres"
        await until_answers(partial(probes.postgres, owner_dsn), START_TIMEOUT_S)
        await postgres.create_database(owner_dsn, passwords)
        await until_answers(partial(probes.kafka, settings), START_TIMEOUT_S)
        await until_answers(partial(probes.redis, settings.redis_url.get_secret_value()), START_TIMEOUT_S)
        yield settings


def _why_no_engine() -> str | None:
    with warnings.catch_warnings():
        # docker leaves its socket open even if the engine does not answer.
        warnings.simplefilter("ignore", ResourceWarning)
        reason = None
        try:
            docker.from_env().ping()
        except DockerException as error:
            reason = str(error)
        gc.collect()
        return reason


def _kafka(port: int) -> DockerContainer:
    # The broker tells its clients where to find it, so the port outside is chosen before it starts. It is the
    # same inside, as a transaction's coordinator looks for the broker there, too. The image takes none of its
    # defaults once it is given any setting.
    properties = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    }
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(port, port)
    for name, value in properties.items():
        container.with_env(f"KAFKA_{name}", value)
    return container
