"""Connections for the operator's commands, with readable error messages."""

import contextlib
import logging
from collections.abc import AsyncIterator

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from infra.errors import MisconfiguredError, TransientError
from infra.kafka.connection import no_answer
from infra.kafka.reader import start_consumer
from infra.postgres import CONFLICTS, OUTAGES, is_outage, open_pool
from infra.settings import Settings

CONNECTIONS_MAX = 4


def quiet() -> None:
    """Silence the logs of libraries and services: the command prints its results."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextlib.asynccontextmanager
async def readable_failures() -> AsyncIterator[None]:
    """Convert errors of the servers into readable sentences.

    Raises:
        TransientError: a server does not answer, or other transactions hold the rows.
        MisconfiguredError: Postgres refuses, or the database has no schema yet.
    """
    try:
        yield
    except CONFLICTS as error:
        raise TransientError("Other transactions hold the rows: try again later.") from error
    except KafkaError as error:
        raise no_answer(error) from error
    except (*OUTAGES, asyncpg.InterfaceError) as error:
        if not is_outage(error):
            raise
        raise TransientError(f"A server does not answer: {error or type(error).__name__}") from error
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise MisconfiguredError("The database has no schema yet: run `clinic migrate`.") from None
    except asyncpg.PostgresError as error:
        raise MisconfiguredError(f"Postgres refuses: {error}") from error


@contextlib.asynccontextmanager
async def database(
    dsn: str,
    name: str,
    *,
    connections_max: int = CONNECTIONS_MAX,
    server_settings: dict[str, str] | None = None,
) -> AsyncIterator[asyncpg.Pool]:
    """A pool of a few connections; `name` shows in `pg_stat_activity`. Raises as `readable_failures`."""
    async with (
        readable_failures(),
        await open_pool(dsn, name, connections_max=connections_max, server_settings=server_settings) as pool,
    ):
        yield pool


@contextlib.asynccontextmanager
async def log_reader(
    settings: Settings, topic: Topic, *, committed: bool = False
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of a topic, outside of any group. `committed`: of one that is written in transactions.

    Raises as `readable_failures`.
    """
    async with readable_failures():
        consumer = await start_consumer(settings, "clinic-replay", topic, committed=committed)
        try:
            yield consumer
        finally:
            await consumer.stop()
