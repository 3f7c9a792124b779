"""Examples of patients for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from ingress.openapi.login_examples import PASSKEY, SOME_ID, example, page
from ingress.openapi.staff_examples import NOTE
from ingress.patients.export import MyDataView
from ingress.patients.profile import (
    OwnProfileChange,
    PatientBody,
    PatientList,
    PatientLookup,
    PatientSearch,
    PatientView,
    ProfileChange,
)

Json = dict[str, Any]

EMAIL = "ada.keller@example.com"
PATIENT = {
    "id": SOME_ID,
    "email": EMAIL,
    "name": "Ada Keller",
    "phone": "+49301234567",
    "birth_date": "1956-07-04",
    "language": "en",
    "channel": "mail",
    "reminders": True,
    "created_at": "2026-11-25T09:00:00+01:00",
}


def patient_examples(booked: Json, booking: Json) -> dict[type[BaseModel], Json]:
    """Examples by model; `booked` is an appointment of the patient, `booking` the first of its history."""
    at = booked["booked_at"]
    confirmation = {
        "kind": "confirmation",
        "appointment_id": booked["id"],
        "version": 1,
        "channel": "mail",
        "state": "sent",
        "dated": at,
        "finished_at": at,
    }
    entry = {
        "at": at,
        "action": "LoginSucceeded",
        "chain": "security",
        "partition": 1,
        "number": 40,
        "hash": "0e" * 32,
        "content": {"action": "LoginSucceeded", "actor": {"id": SOME_ID, "kind": "patient"}},
    }
    return {
        PatientBody: example({"email": "new.patient@example.com", "name": "Nora Patient", "language": "de"}),
        PatientSearch: {
            "an address": {"value": {"email": EMAIL}},
            "a name and a date of birth": {"value": {"name": "keller", "birth_date": "1956-07-04"}},
        },
        PatientLookup: example({"ids": [SOME_ID]}),
        OwnProfileChange: example({"name": "Ada Keller", "reminders": False}),
        ProfileChange: {
            "text messages": {"value": {"phone": "+49301234567", "channel": "sms"}},
            "no more reminders": {"value": {"reminders": False}},
        },
        PatientView: example(PATIENT),
        PatientList: page(PATIENT),
        MyDataView: example(
            {
                "exported_at": at,
                "patient": PATIENT,
                "appointments": [booked | {"history": [booking]}],
                "notifications": [confirmation],
                "notes": [NOTE],
                "logins": [{"methods": ["otp"], "begun_at": at, "used_at": at}],
                "passkeys": [PASSKEY],
                "calendar_link_made_at": None,
                "own_entries": [entry],
                "seen_by_staff": [
                    {"at": at, "action": "BookRead", "view": "calendar", "staff_id": SOME_ID},
                ],
            }
        ),
    }
