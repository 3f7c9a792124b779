"""`make documents`: write them anew, the data model from a database that is made and migrated for it."""

import asyncio
import tempfile
from pathlib import Path

import asyncpg

from ops.documents.api import outline
from ops.documents.data_model import data_model
from ops.documents.postman import collection, environment
from ops.embedded import EmbeddedStack
from ops.migrate import migrate

ROOT = Path(__file__).resolve().parents[2]
API = ROOT / "docs" / "API.md"
DATA_MODEL = ROOT / "docs" / "DATA_MODEL.md"
POSTMAN = ROOT / "deploy" / "clinic.postman_collection.json"
ENVIRONMENT = ROOT / "deploy" / "clinic.postman_environment.json"


async def main() -> None:
    """Write all of them."""
    API.write_text(outline())
    POSTMAN.write_text(collection())
    ENVIRONMENT.write_text(environment())
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedStack(Path(folder)) as stack:
            await asyncio.to_thread(migrate, stack.settings)
            database = await asyncpg.connect(stack.settings.postgres_dsn.get_secret_value())
            DATA_MODEL.write_text(await data_model(database))
            await database.close()


if __name__ == "__main__":
    asyncio.run(main())
