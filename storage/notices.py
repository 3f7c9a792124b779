"""Notices of what was done to an account, planned with the change: both count or none."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from contracts.challenges import Secret
from infra import clock
from infra.crypto.sealing import Column
from infra.keys import Keys
from infra.postgres import Connection
from infra.queries import load_queries

SQL = load_queries(Path(__file__).with_suffix(".sql"))

NOTICE = Column("notify.notifications", "secret", None)
TRIED_FOR = timedelta(days=7)
"""As long as the link in a notice undoes the change."""


async def plan_notice(connection: Connection, keys: Keys, notice: Secret, patient_id: UUID | None) -> None:
    """Have a notice sent once this transaction is committed; `patient_id` is None for staff.

    A patient's is sealed by the patient's own key, with which it goes when the patient is forgotten.
    """
    id_, now = clock.new_id(), clock.now()
    content = notice.model_dump_json().encode()
    if patient_id is None:
        sealed = keys.seal_challenge(id_, content)
    else:
        wrapped = await connection.fetchval(SQL["data_key"], patient_id)
        if wrapped is None:
            return  # forgotten at this moment
        sealed = keys.unwrap(patient_id, wrapped).seal(content, NOTICE, id_)
    await connection.execute(SQL["plan"], id_, patient_id, now, now + TRIED_FOR, sealed)


def open_notice(
    keys: Keys, id_: UUID, sealed: bytes, patient_id: UUID | None, wrapped: bytes | None
) -> Secret | None:
    """The inverse; `wrapped` is the patient's data key. None if the patient is forgotten.

    Raises:
        InvalidTag: it was sealed with another key, or for another notice.
    """
    if patient_id is None:
        return Secret.model_validate_json(keys.open_challenge(id_, sealed))
    if wrapped is None:
        return None
    return Secret.model_validate_json(keys.unwrap(patient_id, wrapped).open(sealed, NOTICE, id_))
