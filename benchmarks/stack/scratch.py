"""Databases, topics and ports that exist only for a benchmark, on the stack's own servers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from contracts.topics import TOPICS
from infra.kafka.connection import connection, topic_name
from infra.settings import Settings
from ops.migrate import migrate
from ops.topics import ensure_topics


def in_database(dsn: str, database: str) -> str:
    """The same server and role, another database."""
    return urlsplit(dsn)._replace(path=f"/{database}").geturl()


@asynccontextmanager
async def scratch_database(settings: Settings, database: str) -> AsyncIterator[Settings]:
    """An empty database with the clinic's schema; removed at the end, even if clients are connected."""
    owner = settings.postgres_dsn.get_secret_value()
    server = await asyncpg.connect(owner)
    try:
        await server.execute(f'CREATE DATABASE "{database}"')
        scratch = settings.model_copy(
            update={
                "postgres_dsn": SecretStr(in_database(owner, database)),
                "postgres_dsn_ingress": SecretStr(in_database(settings.ingress_dsn, database)),
                "postgres_dsn_worker": SecretStr(in_database(settings.worker_dsn, database)),
                "postgres_dsn_auditor": SecretStr(in_database(settings.auditor_dsn, database)),
                "postgres_dsn_notifier": SecretStr(in_database(settings.notifier_dsn, database)),
            }
        )
        await asyncio.to_thread(migrate, scratch)
        # So that whatever is measured next begins with the same write-ahead log.
        await server.execute("CHECKPOINT")
        yield scratch
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        await server.close()


@asynccontextmanager
async def scratch_topics(settings: Settings, namespace: str) -> AsyncIterator[Settings]:
    """The contract's topics under a namespace of their own; removed at the end."""
    scratch = settings.model_copy(update={"namespace": namespace})
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    try:
        await ensure_topics(scratch)
        yield scratch
    finally:
        await admin.delete_topics([topic_name(scratch, topic) for topic in TOPICS])
        await admin.close()


def environment(settings: Settings) -> dict[str, str]:
    """The settings as `CLINIC_…` variables, for a process."""
    values = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in settings
    }
    return {f"CLINIC_{name.upper()}": str(value) for name, value in values.items() if value is not None}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
