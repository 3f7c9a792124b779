"""The data model's page is that of the migrated database, and everything in it has a comment."""

from pathlib import Path

import asyncpg

from infra.settings import Settings
from ops.documents.data_model import data_model

PAGE = Path(__file__).parents[2] / "docs" / "DATA_MODEL.md"


async def test_the_page_is_up_to_date(migrated: Settings) -> None:
    database = await asyncpg.connect(migrated.postgres_dsn.get_secret_value())
    try:
        made = await data_model(database)
    finally:
        await database.close()
    assert made == PAGE.read_text(), "make documents"
