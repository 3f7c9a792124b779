"""Notices of changed addresses and new passkeys, planned with the change."""

from migrations.sql import run_sql_beside

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
