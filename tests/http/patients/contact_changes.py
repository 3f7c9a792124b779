"""Changes of an address or a phone number, as a patient makes them."""

from typing import Any

import httpx

from contracts.challenges import Secret
from contracts.cloudevents import decode_challenge
from contracts.topics import LOGIN_CHALLENGES_TOPIC
from tests.clinic import Clinic, Patient, records
from tests.http.login.logins import code_of, secret_of


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
    """The last notice that was sent."""
    found = [decode_challenge(record) for record in await records(clinic.settings, LOGIN_CHALLENGES_TOPIC)]
    secrets = [(each, await secret_of(clinic, str(each.challenge_id))) for each in found]
    notices = [(each.expires_at, secret) for each, secret in secrets if secret and secret.undo]
    return max(notices, key=lambda sent: sent[0])[1]
