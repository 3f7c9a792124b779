"""The local time that was promised to a patient is kept beside the instant."""

from migrations.sql import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
