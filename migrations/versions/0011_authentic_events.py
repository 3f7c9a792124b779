"""Events carry a MAC, and who reads them may compare them with the table."""

from migrations.sql import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
