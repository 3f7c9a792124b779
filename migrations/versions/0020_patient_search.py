"""Terms by which staff find patients."""

from migrations.sql import run_sql_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
