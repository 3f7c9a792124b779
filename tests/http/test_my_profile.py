"""A patient's own profile: seen and changed by nobody else, and sealed."""

import asyncio
import json
from typing import Any

from infra.keys import Keys
from infra.profiles import CONTEXT
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
    patch_me,
    some_address,
)


async def store_profile(clinic: Clinic, patient: Patient, content: dict[str, Any]) -> None:
    """A profile as it was sealed by a clinic of other times."""
    keys = Keys.load(clinic.settings.master_key_file)
    wrapped = await clinic.postgres.fetchval("SELECT data_key FROM people.patients WHERE id = $1", patient.id)
    sealed = keys.unwrap(patient.id, wrapped).seal(json.dumps(content).encode(), CONTEXT)
    await clinic.postgres.execute("UPDATE people.patients SET profile = $2 WHERE id = $1", patient.id, sealed)


class TestMyProfile:
    async def test_is_changed_field_by_field(self, shared: Clinic) -> None:
        patient = await shared.patient()
        known = await get(shared.http, "/v1/me", patient.headers)
        assert list(known) == FIELDS
        address = some_address()
        changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
            ({"name": NAME}, {"name": NAME}),
            ({"phone": PHONE, "language": "de"}, {"phone": PHONE, "language": "de"}),
            ({}, {}),
            ({"language": None, "email": None, "channel": None, "reminders": None}, {}),
            ({"channel": "sms", "reminders": False}, {"channel": "sms", "reminders": False}),
            ({"phone": "+4915112345678"}, {"phone": "+4915112345678"}),
            ({"reminders": True}, {"reminders": True}),
            ({"name": None}, {"name": None}),
            ({"email": address}, {"email": address}),
            ({"email": address.lower()}, {"email": address.lower()}),
            ({"phone": None, "channel": "mail"}, {"phone": None, "channel": "mail"}),
            ({"phone": PHONE, "channel": "sms"}, {"phone": PHONE, "channel": "sms"}),
        ]
        for change, expected in changes:
            known |= expected
            assert await patch_me(shared, patient, **change) == known
            assert await get(shared.http, "/v1/me", patient.headers) == known
            assert await get(shared.http, f"/v1/patients/{patient.id}", shared.staff) == known
        found = await get(shared.http, "/v1/patients", shared.staff, email=address)
        assert found["items"] == [known]

    async def test_cannot_have_anothers_address(self, shared: Clinic) -> None:
        one, two = await shared.patient(), await shared.patient()
        theirs, mine = [await get(shared.http, "/v1/me", patient.headers) for patient in (one, two)]
        for address in (theirs["email"], theirs["email"].upper()):
            body = {"email": address, "name": "Taken"}
            response = await shared.http.patch("/v1/me", headers=two.headers, json=body)
            problem(response, 409, "address_taken")
            assert address not in response.text
        assert await get(shared.http, "/v1/me", two.headers) == mine
        old = theirs["email"]
        await patch_me(shared, one, email=some_address())
        assert (await patch_me(shared, two, email=old))["email"] == old, "it is free by now"

    async def test_needs_a_phone_for_text_messages(self, shared: Clinic) -> None:
        patient = await shared.patient()
        none = await shared.http.patch("/v1/me", headers=patient.headers, json={"channel": "sms"})
        assert pointers(none) == ["/channel"]
        await patch_me(shared, patient, phone=PHONE, channel="sms")
        gone = await shared.http.patch("/v1/me", headers=patient.headers, json={"phone": None, "name": NAME})
        assert pointers(gone) == ["/phone"]
        known = await get(shared.http, "/v1/me", patient.headers)
        assert (known["phone"], known["channel"], known["name"]) == (PHONE, "sms", None)

    async def test_from_before_there_were_choices_opens_and_can_be_changed(self, shared: Clinic) -> None:
        patient = await shared.patient()
        known = await get(shared.http, "/v1/me", patient.headers)
        old = {"email": known["email"], "name": NAME, "phone": "(030) 123", "language": "de"}
        await store_profile(shared, patient, old)

        expected = known | old | {"channel": "mail", "reminders": True}
        assert await get(shared.http, "/v1/me", patient.headers) == expected
        assert await patch_me(shared, patient, name=None) == expected | {"name": None}
        refused = await shared.http.patch("/v1/me", headers=patient.headers, json={"channel": "sms"})
        assert pointers(refused) == ["/channel"], "that is no number for a gateway"

    async def test_keeps_every_change_of_many_at_the_same_time(self, shared: Clinic) -> None:
        patient = await shared.patient()
        changes: list[dict[str, Any]] = [
            *({"name": NAME}, {"phone": PHONE}, {"language": "de"}, {"reminders": False}),
        ]

        await asyncio.gather(*(patch_me(shared, patient, **change) for change in changes))

        known = await get(shared.http, "/v1/me", patient.headers)
        for change in changes:
            assert known | change == known

    async def test_is_for_patients_with_good_values(self, shared: Clinic) -> None:
        patient = await shared.patient()
        for method in ("GET", "PATCH", "DELETE"):
            for who, status, code in ((shared.staff, 403, "forbidden"), ({}, 401, "unauthenticated")):
                body = {"name": NAME} if method == "PATCH" else None
                problem(await shared.http.request(method, "/v1/me", headers=who, json=body), status, code)
        for change, expected in (
            ({"email": "ada"}, ["/email"]),
            ({"name": " "}, ["/name"]),
            *(({"phone": phone}, ["/phone"]) for phone in NO_PHONES),
            ({"language": 1}, ["/language"]),
            ({"channel": "SMS"}, ["/channel"]),
            ({"reminders": 1}, ["/reminders"]),
            ({"id": str(patient.id)}, ["/id"]),
        ):
            response = await shared.http.patch("/v1/me", headers=patient.headers, json=change)
            assert pointers(response) == expected
