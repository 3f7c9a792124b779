"""Roles may do what they need and nothing else."""

from migrations.sql import run_sql_beside

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
