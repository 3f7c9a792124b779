"""An index by which patients find who saw their data."""

from migrations.sql import run_sql_beside

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
