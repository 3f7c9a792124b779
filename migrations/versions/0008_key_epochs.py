"""Data keys name the epoch of the storage key that wraps them."""

from migrations.sql import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL."""
    run_sql_beside(__file__)
