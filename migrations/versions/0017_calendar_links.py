"""Calendar subscriptions of patients and doctors."""

from migrations.sql import run_sql_beside

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
