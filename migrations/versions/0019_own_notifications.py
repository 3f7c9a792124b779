"""Patients' own notifications, for the export of their data."""

from migrations.sql import run_sql_beside

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
