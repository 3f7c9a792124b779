"""A connection to the trail, with failures that an operator can read."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

from infra.errors import MisconfiguredError, TransientError
from infra.postgres import CONFLICTS, OUTAGES, open_pool
from infra.settings import Settings

CONNECTIONS_MAX = 2


@contextlib.asynccontextmanager
async def trail(settings: Settings) -> AsyncIterator[asyncpg.Pool]:
    """Connections with the auditor's role.

    Raises:
        TransientError: Postgres does not answer, or others are in the way.
        MisconfiguredError: it refuses, or the database has no schema yet.
    """
    try:
        async with await open_pool(
            settings.auditor_dsn, "clinic-audit", connections_max=CONNECTIONS_MAX
        ) as pool:
            yield pool
    except OUTAGES as error:
        raise TransientError(f"Postgres does not answer: {error}") from error
    except CONFLICTS as error:
        raise TransientError("Others use the trail just now: try again later.") from error
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise MisconfiguredError("The database has no schema yet: run `clinic migrate`.") from None
    except asyncpg.PostgresError as error:
        raise MisconfiguredError(f"Postgres refuses: {error}") from error
