"""Planned notifications."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL beside this file: by asyncpg itself, as several statements are no prepared statement."""
    connection = op.get_bind().connection.driver_connection
    await_only(connection.execute(Path(__file__).with_suffix(".sql").read_text()))
