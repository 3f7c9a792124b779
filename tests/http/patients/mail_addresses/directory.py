"""The directory of patients, and the epochs that it is in."""

import asyncpg

from infra import clock
from infra.crypto.epochs import epoch_file
from ops.keys import new_epoch, write_private
from tests.clinic import Clinic
from tests.http.asking import get

EPOCH = 1
"""Every clinic begins with it."""


def new_name() -> str:
    """A local part that nobody has."""
    return f"a{clock.new_id().hex}"


async def found(clinic: Clinic, email: str) -> list[str]:
    """The ids of whom staff find by an address."""
    page = await get(clinic.http, "/v1/patients", clinic.staff, email=email)
    return [patient["id"] for patient in page["items"]]


async def stored(clinic: Clinic, patient_id: object) -> asyncpg.Record:
    """The row of a patient."""
    row = await clinic.postgres.fetchrow("SELECT * FROM people.patients WHERE id = $1", patient_id)
    assert row is not None
    return row


async def begin_epoch(clinic: Clinic, *, whole_indexes: bool = False) -> int:
    """The next epoch, as a rotation leaves it that was killed before it wrapped any key again."""
    number = EPOCH + 1
    path = epoch_file(clinic.settings.storage_key_dir, number)
    write_private(path, new_epoch(number, clock.now()).to_json())
    await clinic.postgres.execute(
        "INSERT INTO people.key_epochs (epoch, registered_at, whole_indexes) VALUES ($1, now(), $2)",
        number,
        whole_indexes,
    )
    return number
