"""The doctor of a command that names none is remembered, so that a retry is the same command."""

from migrations.sql import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
