"""Connections to Postgres."""

import asyncio

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from infra.errors import TransientError

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 20.0

# What a caller waits out and tries again; everything else that asyncpg raises is about the statement.
OUTAGES = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
)
# The server rolled the transaction back for another's sake: it may be tried again at once.
CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


Connection = asyncpg.Connection | PoolConnectionProxy


def is_outage(error: BaseException) -> bool:
    """Whether to wait and try again, rather than to look for a mistake in what was asked."""
    # Values that asyncpg cannot encode are an InterfaceError too.
    return isinstance(error, (TransientError, *OUTAGES)) and not isinstance(error, ValueError)


async def _keep(connection: Connection) -> None:
    pass


async def open_pool(
    dsn: str, name: str, *, connections_max: int, server_settings: dict[str, str] | None = None
) -> asyncpg.Pool:
    """A pool of connections, opened as needed. `name` shows in `pg_stat_activity`.

    Raises:
        TransientError: Postgres does not answer.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections_max,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            # No connection is given back with state of its own; asking the server to make sure costs a query.
            reset=_keep,
            server_settings={"application_name": name, "timezone": "UTC", **(server_settings or {})},
        )
    except OUTAGES as error:
        raise TransientError(f"Postgres does not answer: {error}") from error
