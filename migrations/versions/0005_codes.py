"""Codes that a newer release has added can be stored: status, cancelled_by and state are no closed lists."""

from migrations.sql import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
