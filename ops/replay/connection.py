"""Connections for replays, lags and dead letters, with failures that an operator can read."""

import contextlib
import logging
from collections.abc import AsyncIterator

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from booking_worker.event_log import start_consumer
from contracts.topics import Topic
from infra.errors import MisconfiguredError, TransientError
from infra.postgres import OUTAGES, open_pool
from infra.settings import Settings

CONNECTIONS_MAX = 4


def quiet() -> None:
    """Findings are printed; what libraries and services would log beside them is not."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextlib.asynccontextmanager
async def servers_answer() -> AsyncIterator[None]:
    """Inside, what the servers raise becomes a sentence.

    Raises:
        TransientError: one of them does not answer.
        MisconfiguredError: Postgres refuses, or the database has no schema yet.
    """
    try:
        yield
    except OUTAGES as error:
        raise TransientError(f"A server does not answer: {error or type(error).__name__}") from error
    except KafkaError as error:
        raise TransientError(f"Kafka does not answer: {error}") from error
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise MisconfiguredError("The database has no schema yet: run `clinic migrate`.") from None
    except asyncpg.PostgresError as error:
        raise MisconfiguredError(f"Postgres refuses: {error}") from error


@contextlib.asynccontextmanager
async def database(
    dsn: str, server_settings: dict[str, str] | None = None, connections_max: int = CONNECTIONS_MAX
) -> AsyncIterator[asyncpg.Pool]:
    """A few connections. Raises what `servers_answer` does."""
    async with (
        servers_answer(),
        await open_pool(
            dsn, "clinic-replay", connections_max=connections_max, server_settings=server_settings
        ) as pool,
    ):
        yield pool


@contextlib.asynccontextmanager
async def log_reader(
    settings: Settings, topic: Topic, *, committed: bool = False
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of a topic, outside of any group. `committed`: of one that is written in transactions.

    Raises what `servers_answer` does.
    """
    async with servers_answer():
        consumer = await start_consumer(settings, "clinic-replay", topic, committed=committed)
        try:
            yield consumer
        finally:
            await consumer.stop()
