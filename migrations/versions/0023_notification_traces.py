"""The trace that a notification belongs to."""

from migrations.sql import run_sql_beside

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
