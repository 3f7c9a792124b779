"""Indexes of addresses that many patients share."""

from migrations.sql import run_sql_beside

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
