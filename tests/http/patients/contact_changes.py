"""Changes of an address or a phone number, as a patient makes them."""

from typing import Any

import httpx

from contracts.challenges import Secret
from tests.clinic import Clinic, Patient
from tests.http.login.logins import code_of, notices


async def ask_for(clinic: Clinic, patient: Patient, field: str, value: str) -> str:
    """Ask for a new address or number, which has to be accepted: the challenge's id."""
    response = await clinic.http.post(f"/v1/me/{field}", headers=patient.headers, json={field: value})
    assert response.status_code == 202, response.text
    assert response.json().keys() == {"challenge_id", "expires_at"}
    return str(response.json()["challenge_id"])


async def confirm(
    clinic: Clinic, patient: Patient, field: str, challenge_id: str, code: str
) -> httpx.Response:
    body = {"challenge_id": challenge_id, "code": code}
    return await clinic.http.post(f"/v1/me/{field}/confirm", headers=patient.headers, json=body)


async def changed(clinic: Clinic, patient: Patient, field: str, value: str) -> Any:
    challenge_id = await ask_for(clinic, patient, field, value)
    response = await confirm(clinic, patient, field, challenge_id, await code_of(clinic, challenge_id))
    assert response.status_code == 200, response.text
    return response.json()


async def notice(clinic: Clinic) -> Secret:
    """The last notice of a changed address or number."""
    return [planned for planned in await notices(clinic) if planned.undo][-1]
