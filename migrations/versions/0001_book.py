"""The appointment book: progress, decisions, appointments, events, doctors; and the patients."""

from migrations.sql import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
