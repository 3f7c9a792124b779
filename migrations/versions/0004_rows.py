"""Rows as composite types; the patients whose bookings are cancelled because they asked to be forgotten."""

from migrations.sql import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
