"""`clinic migrate`: bring the database schema up to date."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from infra.crypto.epochs import Epochs
from infra.errors import MisconfiguredError, TransientError
from infra.settings import Settings

# While a migration waits for a table, everybody else waits behind it.
LOCK_TIMEOUT_MS = 3_000
_REGISTER_EPOCH = """
INSERT INTO people.key_epochs (epoch, registered_at) VALUES (:epoch, now()) ON CONFLICT (epoch) DO NOTHING
"""
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def migrate(settings: Settings) -> None:
    """Run missing revisions as the owner, in one transaction; store the minimum retention of the audit trail
    and the storage keys that exist. Idempotent.

    Raises:
        TransientError: Postgres does not answer, or somebody else uses a table for too long.
        MisconfiguredError: it refuses the login or a statement.
    """
    asyncio.run(_migrate(settings))


async def _migrate(settings: Settings) -> None:
    dsn = settings.postgres_dsn.get_secret_value()
    # asyncpg reads the address itself: SQLAlchemy does not know all that may stand in it, such as `sslmode`.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn))
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
            await connection.run_sync(_upgrade)
            years = {"years": settings.audit_retention_years}
            await connection.execute(text("UPDATE audit.retention SET years = :years"), years)
            epochs = [{"epoch": epoch.number} for epoch in Epochs(settings.storage_key_dir).all()]
            if epochs:
                await connection.execute(text(_REGISTER_EPOCH), epochs)
            await connection.commit()
    except asyncpg.LockNotAvailableError as error:
        in_use = f"A table was in use for {LOCK_TIMEOUT_MS / 1000:g} s"
        raise TransientError(f"{in_use}: nothing was changed, run it again.") from error
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
