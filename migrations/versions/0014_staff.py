"""Accounts of staff: password, second factor, recovery codes."""

from migrations.sql import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
