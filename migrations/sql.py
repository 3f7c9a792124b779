"""Runs the SQL that stands beside a revision."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only


def run_sql_beside(revision: str) -> None:
    """Run the `.sql` file with the revision's name: by asyncpg itself, as it has several statements."""
    connection = op.get_bind().connection.driver_connection
    await_only(connection.execute(Path(revision).with_suffix(".sql").read_text("utf-8")))
