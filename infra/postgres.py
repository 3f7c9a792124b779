"""Connections to Postgres."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from infra import clock
from infra.errors import MisconfiguredError, TransientError
from infra.metrics import POSTGRES_WAIT_SECONDS

CONNECT_TIMEOUT_S = 5.0
# For a server that does not answer any more. One that is busy with the statement cancels it sooner: that
# is the `statement_timeout` of the roles.
COMMAND_TIMEOUT_S = 20.0
# Then a connection is replaced by a new one (asyncpg's defaults).
QUERIES_MAX = 50_000
IDLE_S_MAX = 300.0

# Errors that a caller retries with backoff. Not asyncpg's InterfaceError: that is usually a bug of ours.
OUTAGES = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.InternalClientError,
    asyncpg.ReadOnlySQLTransactionError,
    # A login that is refused temporarily: a password that is being changed, NOLOGIN.
    asyncpg.InvalidAuthorizationSpecificationError,
    # A database that is being replaced: it takes no connections, or has no name, for the time being.
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidCatalogNameError,
)
# The server rolled the transaction back in favour of another: it may be retried at once.
CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
# Classes of SQLSTATE that are not about a command: refused logins, revoked grants, missing columns.
SYSTEM_CLASSES = frozenset({"08", "25", "28", "3D", "42", "53", "54", "55", "57", "58", "XX"})


Connection = asyncpg.Connection | PoolConnectionProxy


class _Pool(asyncpg.Pool):
    """Waits for a connection no longer than `acquire_timeout_s`."""

    acquire_timeout_s: float | None = None

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        if timeout is None and not self.get_idle_size():  # a timer costs more than an idle connection
            timeout = self.acquire_timeout_s
        return super().acquire(timeout=timeout)

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ASYNC109 (asyncpg's)
        # Every use of a pool comes here. Not in the stubs, as it is none of asyncpg's public names.
        if self.get_idle_size():
            return await super()._acquire(timeout)  # type: ignore[misc]
        begun_s = clock.monotonic()
        try:
            return await super()._acquire(timeout)  # type: ignore[misc]
        finally:
            POSTGRES_WAIT_SECONDS.observe(clock.monotonic() - begun_s)


class _PoolConnection(asyncpg.Connection):
    def _check_open(self) -> None:
        # asyncpg raises InterfaceError here, as for every misuse of a connection.
        if self.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("the connection is closed")


def is_outage(error: BaseException) -> bool:
    """True if the caller should wait and try again, rather than look for a mistake in what was asked."""
    return isinstance(error, (TransientError, *OUTAGES)) or _was_lost(error)


def _was_lost(error: BaseException) -> bool:
    # A connection that breaks while it is held goes back to the pool by itself; its next use, or the end of
    # its transaction, says only that.
    said = ("released back to the pool", "the underlying connection is closed")
    return isinstance(error, asyncpg.InterfaceError) and any(text in str(error) for text in said)


def took_too_long(error: BaseException) -> bool:
    """True for an outage that less work at a time may end: the server has cancelled the statement."""
    return isinstance(error, asyncpg.QueryCanceledError)


def is_systems_fault(error: BaseException) -> bool:
    """True if any command would have failed so: the error is not the fault of this command.

    A NOT NULL violation is one: all columns that this release knows are written, so the column is newer.
    """
    if isinstance(error, asyncpg.NotNullViolationError):
        return True
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] in SYSTEM_CLASSES


_IS_OWNER = """
SELECT coalesce(bool_or(pg_has_role(current_user, nspowner, 'MEMBER')), false)
FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)'
"""


async def _keep(connection: Connection) -> None:
    pass


async def open_pool(
    dsn: str,
    name: str,
    *,
    connections_max: int,
    server_settings: dict[str, str] | None = None,
    admit: Callable[[Connection], Awaitable[None]] | None = None,
    for_service: bool = False,
    acquire_timeout_s: float | None = None,
) -> asyncpg.Pool:
    """A pool of connections, opened as needed. `name` shows in `pg_stat_activity`.

    `admit` is called for each new connection; its exceptions are raised where the connection is needed.
    `for_service`: connections of the owner of the schema are refused.
    `acquire_timeout_s`: waiting longer for a connection raises `TimeoutError`, which is an outage.

    Raises:
        TransientError: Postgres does not answer.
        MisconfiguredError: the connection is the owner's, and may not be.
    """

    async def init(connection: Connection) -> None:
        if for_service and await connection.fetchval(_IS_OWNER):
            raise MisconfiguredError(
                f"{name} does not run as the owner of the database: it needs a role of its own."
            )
        if admit:
            await admit(connection)

    try:
        pool = _Pool(
            dsn,
            min_size=0 if admit else 1,
            init=init,
            max_size=connections_max,
            max_queries=QUERIES_MAX,
            max_inactive_connection_lifetime=IDLE_S_MAX,
            loop=None,
            record_class=asyncpg.Record,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            # Connections are returned without session state, so that no query is needed to reset it.
            reset=_keep,
            connection_class=_PoolConnection,
            server_settings={"application_name": name, "timezone": "UTC", **(server_settings or {})},
        )
        pool.acquire_timeout_s = acquire_timeout_s
        return await pool
    except OUTAGES as error:
        raise TransientError(f"Postgres does not answer: {error}") from error
