"""Notices that an address was changed or a passkey added, planned with the change: both count or none."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from contracts.challenges import Secret
from infra import clock
from infra.keys import Keys
from infra.postgres import Connection
from infra.queries import load_queries

SQL = load_queries(Path(__file__).with_suffix(".sql"))

TRIED_FOR = timedelta(days=7)
"""As long as the link in a notice undoes the change."""


async def plan_notice(connection: Connection, keys: Keys, notice: Secret, patient_id: UUID | None) -> None:
    """Have a notice sent once this transaction is committed; `patient_id` is None for staff."""
    id_, now = clock.new_id(), clock.now()
    sealed = keys.seal_challenge(id_, notice.model_dump_json().encode())
    await connection.execute(SQL["plan"], id_, patient_id, now, now + TRIED_FOR, sealed)
