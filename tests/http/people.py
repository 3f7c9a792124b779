"""Helpers that register, change and forget patients."""

from typing import Any

from infra import clock
from tests.clinic import Clinic, Patient
from tests.http.asking import (
    get,
)

NAME, PHONE = "Ада Lovelace-Weiß", "+49301234567"
NO_PHONES = [
    "call me",
    "030 1234567",
    "+49 30 1234567",
    "+0301234567",
    "+4930",
    "+" + "1" * 16,
    "+49301234567\n",
]
FIELDS = ["id", "email", "name", "phone", "birth_date", "language", "channel", "reminders", "created_at"]


def new_address() -> str:
    return f"Ada.{clock.new_id().hex}@Example.org"


async def register(clinic: Clinic, email: str, status: int = 201, **fields: Any) -> Any:
    """A registration, which has to have this status: the patient."""
    response = await clinic.http.post("/v1/patients", headers=clinic.staff, json={"email": email, **fields})
    assert response.status_code == status, response.text
    if status == 201:
        assert response.headers["location"] == f"/v1/patients/{response.json()['id']}"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def change(clinic: Clinic, patient: Patient, **changes: Any) -> Any:
    """Change a profile as staff, who may change every field."""
    path = f"/v1/patients/{patient.id}"
    response = await clinic.http.patch(path, headers=clinic.staff, json=changes)
    assert response.status_code == 200, response.text
    return response.json()


async def patch_me(clinic: Clinic, patient: Patient, **changes: Any) -> Any:
    response = await clinic.http.patch("/v1/me", headers=patient.headers, json=changes)
    assert response.status_code == 200, response.text
    return response.json()


async def forget(clinic: Clinic, patient: Patient) -> None:
    response = await clinic.http.delete("/v1/me", headers=patient.headers)
    assert (response.status_code, response.content) == (204, b"")


async def is_cancelled_by_the_patient(clinic: Clinic, path: str) -> bool:
    appointment = await get(clinic.http, path, clinic.staff)
    return (appointment["status"], appointment["cancelled_by"]) == ("cancelled", "patient")
