"""Notes about patients."""

from migrations.sql import run_sql_beside

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
