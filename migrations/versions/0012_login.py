"""Sessions, refresh tokens and failed logins."""

from migrations.sql import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
