"""`clinic migrate`: bring the database schema up to date."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from infra.errors import MisconfiguredError, TransientError
from infra.settings import Settings

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def migrate(settings: Settings) -> None:
    """Run the revisions that the database has not seen, as the owner, in one transaction, and write down how
    long the trail is kept at least. Idempotent.

    Raises:
        TransientError: Postgres does not answer.
        MisconfiguredError: it refuses the login or a statement.
    """
    asyncio.run(_migrate(settings.postgres_dsn.get_secret_value(), settings.audit_retention_years))


async def _migrate(dsn: str, years: int) -> None:
    engine = create_async_engine(make_url(dsn).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
            await connection.execute(text("UPDATE audit.retention SET years = :years"), {"years": years})
            await connection.commit()
    except OSError as error:
        raise TransientError(f"Postgres does not answer: {error}") from error
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig else None
        raise MisconfiguredError(f"Postgres refuses: {cause or error.orig}") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
