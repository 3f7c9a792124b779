"""A patient's own profile: private, and encrypted."""

import asyncio
import json
from typing import Any

from infra.keys import Keys
from storage.profiles import PROFILE
from tests.clinic import Clinic, Patient
from tests.http.asking import (
    get,
    pointers,
    problem,
)
from tests.http.people import (
    FIELDS,
    NAME,
    NO_PHONES,
    PHONE,
    change,
    new_address,
    patch_me,
)


async def store_profile(clinic: Clinic, patient: Patient, content: dict[str, Any]) -> None:
    """Store a profile as an earlier release encrypted it."""
    keys = Keys.load(clinic.settings)
    wrapped = await clinic.postgres.fetchval("SELECT data_key FROM people.patients WHERE id = $1", patient.id)
    sealed = keys.unwrap(patient.id, wrapped).seal(json.dumps(content).encode(), PROFILE, patient.id)
    await clinic.postgres.execute("UPDATE people.patients SET profile = $2 WHERE id = $1", patient.id, sealed)


class TestMyProfile:
    async def test_is_changed_field_by_field(self, shared: Clinic) -> None:
        patient = await shared.patient()
        known = await get(shared.http, "/v1/me", patient.headers)
        assert list(known) == FIELDS
        changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({"name": NAME}, {"name": NAME}),
            ({"language": "de"}, {"language": "de"}),
            ({}, {}),
            ({"language": None, "channel": None, "reminders": None}, {}),
            ({"channel": "sms", "reminders": False}, {"channel": "sms", "reminders": False}),
            ({"reminders": True}, {"reminders": True}),
            ({"name": None, "channel": "mail"}, {"name": None, "channel": "mail"}),
        ]
        known |= await change(shared, patient, phone=PHONE)
        for changed, expected in changes:
            known |= expected
            assert await patch_me(shared, patient, **changed) == known
            assert await get(shared.http, "/v1/me", patient.headers) == known
            assert await get(shared.http, f"/v1/patients/{patient.id}", shared.staff) == known

    async def test_is_changed_by_staff_field_by_field(self, shared: Clinic) -> None:
        patient = await shared.patient()
        known = await get(shared.http, "/v1/me", patient.headers)
        address = new_address()
        changes: list[dict[str, Any]] = [
            {"phone": PHONE, "channel": "sms"},
            {"phone": "+4915112345678"},
            {"email": address},
            {"email": address.lower()},
            {"phone": None, "channel": "mail"},
        ]
        for changed in changes:
            known |= changed
            assert await change(shared, patient, **changed) == known
            assert await get(shared.http, "/v1/me", patient.headers) == known
        found = await get(shared.http, "/v1/patients", shared.staff, email=address)
        assert found["items"] == [known]

    async def test_cannot_take_another_patients_address(self, shared: Clinic) -> None:
        first, second = await shared.patient(), await shared.patient()
        theirs, mine = [await get(shared.http, "/v1/me", patient.headers) for patient in (first, second)]
        for address in (theirs["email"], theirs["email"].upper()):
            body = {"email": address, "name": "Taken"}
            path = f"/v1/patients/{second.id}"
            response = await shared.http.patch(path, headers=shared.staff, json=body)
            problem(response, 409, "address_taken")
            assert address not in response.text
        assert await get(shared.http, "/v1/me", second.headers) == mine
        old = theirs["email"]
        await change(shared, first, email=new_address())
        assert (await change(shared, second, email=old))["email"] == old, "it is free by now"

    async def test_needs_a_phone_for_text_messages(self, shared: Clinic) -> None:
        patient = await shared.patient()
        none = await shared.http.patch("/v1/me", headers=patient.headers, json={"channel": "sms"})
        assert pointers(none) == ["/channel"]
        await change(shared, patient, phone=PHONE, channel="sms")
        body = {"phone": None, "name": NAME}
        gone = await shared.http.patch(f"/v1/patients/{patient.id}", headers=shared.staff, json=body)
        assert pointers(gone) == ["/phone"]
        known = await get(shared.http, "/v1/me", patient.headers)
        assert (known["phone"], known["channel"], known["name"]) == (PHONE, "sms", None)

    async def test_of_an_earlier_release_opens_and_can_be_changed(self, shared: Clinic) -> None:
        patient = await shared.patient()
        known = await get(shared.http, "/v1/me", patient.headers)
        old = {"email": known["email"], "name": NAME, "phone": "(030) 123", "language": "de"}
        await store_profile(shared, patient, old)

        expected = known | old | {"channel": "mail", "reminders": True}
        assert await get(shared.http, "/v1/me", patient.headers) == expected
        assert await patch_me(shared, patient, name=None) == expected | {"name": None}
        refused = await shared.http.patch("/v1/me", headers=patient.headers, json={"channel": "sms"})
        assert pointers(refused) == ["/channel"], "the gateway cannot use that number"

    async def test_keeps_all_of_many_simultaneous_changes(self, shared: Clinic) -> None:
        patient = await shared.patient()
        changes: list[dict[str, Any]] = [
            {"name": NAME},
            {"phone": PHONE},
            {"language": "de"},
            {"reminders": False},
        ]

        await asyncio.gather(*(change(shared, patient, **changed) for changed in changes))

        known = await get(shared.http, "/v1/me", patient.headers)
        for changed in changes:
            assert known | changed == known

    async def test_is_for_patients_with_valid_values(self, shared: Clinic) -> None:
        patient = await shared.patient()
        for method in ("GET", "PATCH", "DELETE"):
            for who, status, code in ((shared.staff, 403, "forbidden"), ({}, 401, "unauthenticated")):
                body = {"name": NAME} if method == "PATCH" else None
                problem(await shared.http.request(method, "/v1/me", headers=who, json=body), status, code)
        for phone in NO_PHONES:
            response = await shared.http.post("/v1/me/phone", headers=patient.headers, json={"phone": phone})
            assert pointers(response) == ["/phone"]
        for changed, expected in (
            ({"email": new_address()}, ["/email"]),
            ({"phone": PHONE}, ["/phone"]),
            ({"name": " "}, ["/name"]),
            ({"language": 1}, ["/language"]),
            ({"channel": "SMS"}, ["/channel"]),
            ({"reminders": 1}, ["/reminders"]),
            ({"id": str(patient.id)}, ["/id"]),
        ):
            response = await shared.http.patch("/v1/me", headers=patient.headers, json=changed)
            assert pointers(response) == expected
