"""Staff who write notes about patients."""

from typing import Any

import httpx

from tests.clinic import Clinic, Patient

TEXT = "Called: the canary knee is better.\n\tPrefers mornings 🩺"
COUNT = "SELECT count(*) FROM people.notes WHERE patient_id = $1"


def notes_of(patient: Patient) -> str:
    return f"/v1/patients/{patient.id}/notes"


async def write(
    clinic: Clinic,
    patient: Patient,
    text: str = TEXT,
    key: str | None = None,
    who: dict[str, str] | None = None,
) -> httpx.Response:
    return await clinic.send("POST", notes_of(patient), who or clinic.staff, {"text": text}, key)


async def written(clinic: Clinic, patient: Patient, text: str = TEXT) -> Any:
    """A note, which has to be new."""
    response = await write(clinic, patient, text)
    assert response.status_code == 201, response.text
    return response.json()


async def count(clinic: Clinic, patient: Patient) -> int:
    found: int = await clinic.postgres.fetchval(COUNT, patient.id)
    return found
