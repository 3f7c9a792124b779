"""The patients' directory, for staff."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidTag

from contracts.commands import Actor, ActorKind
from infra import clock
from infra.crypto.sealing import Column
from infra.keys import Keys
from tests.clinic import Clinic, Patient, free_port, ingress
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
    new_address,
    patch_me,
    register,
)


async def post(clinic: Clinic, operation: str, body: dict[str, Any], who: Any = None) -> httpx.Response:
    """A search or a look-up, by staff unless somebody else is given."""
    return await clinic.http.post(f"/v1/patients/{operation}", headers=who or clinic.staff, json=body)


class TestAPatient:
    async def test_is_registered_and_found_by_staff(self, shared: Clinic) -> None:
        email = new_address()

        patient = await register(shared, email, name=NAME, phone=PHONE, language="de")

        assert list(patient) == FIELDS
        given = {"email": email, "name": NAME, "phone": PHONE, "language": "de"}
        expected = {**given, "channel": "mail", "reminders": True}
        assert patient | expected == patient
        path = f"/v1/patients/{patient['id']}"
        assert await get(shared.http, path, shared.staff) == patient
        for address in (email, email.upper(), email.lower()):
            found = await get(shared.http, "/v1/patients", shared.staff, email=address)
            assert found == {"items": [patient], "next_cursor": None}
            searched = await post(shared, "search", {"email": address})
            assert searched.json() == found
        assert (await post(shared, "lookup", {"ids": [patient["id"]]})).json() == found
        nobody = await get(shared.http, "/v1/patients", shared.staff, email=new_address())
        assert nobody == {"items": [], "next_cursor": None}
        token = shared.headers(Actor(kind=ActorKind.PATIENT, id=patient["id"]))
        assert await get(shared.http, "/v1/me", token) == patient

    async def test_with_the_same_address_is_the_same_patient(self, shared: Clinic) -> None:
        email = new_address()
        patient = await register(shared, email, name=NAME)

        for again in (email, email.lower(), email.upper()):
            assert await register(shared, again, 200, name="Another", language="de") == patient

    async def test_is_registered_once_by_simultaneous_requests(self, shared: Clinic) -> None:
        body = {"email": new_address(), "name": NAME}
        answers = await asyncio.gather(
            *(shared.http.post("/v1/patients", headers=shared.staff, json=body) for _ in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.content for answer in answers}) == 1

    async def test_needs_only_an_address_and_every_field_is_validated(self, shared: Clinic) -> None:
        plain = await register(shared, new_address())
        assert (plain["name"], plain["phone"], plain["language"]) == (None, None, "en")
        wrong: list[tuple[dict[str, Any], list[str]]] = [
            ({"email": None}, ["/email"]),
            ({"email": "ada"}, ["/email"]),
            ({"email": "a@b@c"}, ["/email"]),
            ({"email": "a b@example.org"}, ["/email"]),
            ({"email": "ada@example.org\r\nBcc: all@example.org"}, ["/email"]),
            ({"email": "a" * 65 + "@example.org"}, ["/email"]),
            ({"email": "ada@" + "a" * 260}, ["/email"]),
            ({"name": ""}, ["/name"]),
            ({"name": "a\nb"}, ["/name"]),
            ({"name": "\ud800"}, ["/name"]),
            ({"name": "\u200b \u2800"}, ["/name"]),
            *(({"phone": phone}, ["/phone"]) for phone in NO_PHONES),
            ({"language": "tlh"}, ["/language"]),
            ({"channel": "fax"}, ["/channel"]),
            ({"channel": None}, ["/channel"]),
            ({"channel": "sms"}, ["/channel"]),
            ({"reminders": "false"}, ["/reminders"]),
            ({"reminders": 0}, ["/reminders"]),
            ({"id": plain["id"]}, ["/id"]),
        ]
        for change, expected in wrong:
            body = {"email": new_address(), **change}
            headers = {**shared.staff, "Content-Type": "application/json"}
            response = await shared.http.post("/v1/patients", headers=headers, content=json.dumps(body))
            assert pointers(response) == expected, change
        for query in ({}, {"email": ""}, {"email": "ada"}):
            response = await shared.http.get("/v1/patients", headers=shared.staff, params=query)
            assert pointers(response) == ["/email"]

    async def test_is_for_staff_only(self, shared: Clinic) -> None:
        patient = await shared.patient()
        path = f"/v1/patients/{patient.id}"
        body = {"email": new_address()}
        for who, status, code in ((patient.headers, 403, "forbidden"), ({}, 401, "unauthenticated")):
            problem(await shared.http.post("/v1/patients", headers=who, json=body), status, code)
            problem(await shared.http.get("/v1/patients?email=a@b.c", headers=who), status, code)
            for operation, asked in (("search", {"email": "a@b.c"}), ("lookup", {"ids": [str(patient.id)]})):
                url = f"/v1/patients/{operation}"
                problem(await shared.http.post(url, headers=who, json=asked), status, code)
            problem(await shared.http.get(path, headers=who), status, code)
            problem(await shared.http.patch(path, headers=who, json={"name": NAME}), status, code)
        found = await get(shared.http, "/v1/patients", shared.staff, email=body["email"])
        assert found["items"] == []
        for nobody in (clock.new_id(), "x"):
            answer = await shared.http.get(f"/v1/patients/{nobody}", headers=shared.staff)
            problem(answer, 404, "not_found")
            path, change = f"/v1/patients/{nobody}", {"name": NAME}
            problem(await shared.http.patch(path, headers=shared.staff, json=change), 404, "not_found")

    async def test_is_searched_for_by_a_body_that_is_validated(self, shared: Clinic) -> None:
        for operation, body, pointer in (
            ("search", {}, ""),
            ("search", {"email": "canary"}, "/email"),
            ("search", {"email": "a@b.c", "shoe_size": 43}, "/shoe_size"),
            ("lookup", {"ids": []}, "/ids"),
            ("lookup", {"ids": ["canary"]}, "/ids/0"),
            ("lookup", {"ids": [str(clock.new_id()) for _ in range(201)]}, "/ids"),
        ):
            answer = await post(shared, operation, body)
            assert pointers(answer) == [pointer], body
            assert "canary" not in answer.text
        unknown = await post(shared, "lookup", {"ids": [str(clock.new_id())]})
        assert unknown.json()["items"] == []

    async def test_can_be_changed_by_staff_as_by_the_patient(self, shared: Clinic) -> None:
        patient, other = await shared.patient(), await register(shared, new_address())
        path = f"/v1/patients/{patient.id}"
        known = await get(shared.http, path, shared.staff)
        changes: list[dict[str, Any]] = [
            {"name": NAME, "phone": PHONE, "channel": "sms"},
            {"reminders": False, "language": "de"},
            {"reminders": True, "channel": "mail", "phone": None},
            {"email": new_address()},
        ]
        for change in changes:
            known |= change
            answer = await shared.http.patch(path, headers=shared.staff, json=change)
            assert (answer.status_code, answer.json()) == (200, known)
            assert await get(shared.http, "/v1/me", patient.headers) == known
        taken = await shared.http.patch(path, headers=shared.staff, json={"email": other["email"]})
        problem(taken, 409, "address_taken")

    async def test_has_the_clinics_language_by_default(self, shared: Clinic) -> None:
        port = free_port()
        update = {"port": port, "url": f"http://127.0.0.1:{port}", "language": "de"}
        async with ingress(shared.settings.model_copy(update=update)) as http:
            for chosen, language in ((None, "de"), ("en", "en")):
                body = {"email": new_address(), "language": chosen}
                answer = await http.post("/v1/patients", headers=shared.staff, json=body)
                assert answer.json()["language"] == language

    async def test_is_stored_encrypted(self, shared: Clinic) -> None:
        email = new_address()
        known = await register(shared, email, name=NAME, phone=PHONE)
        await patch_me(
            shared,
            Patient(known["id"], shared.headers(Actor(kind=ActorKind.PATIENT, id=known["id"]))),
            name=NAME + " II",
        )
        [row] = await shared.postgres.fetch("SELECT * FROM people.patients WHERE id = $1", known["id"])
        stored = b"".join(value for value in row.values() if isinstance(value, bytes))
        text = await shared.postgres.fetchval(
            "SELECT p::text FROM people.patients p WHERE id = $1", known["id"]
        )
        for secret in (email, email.lower(), email[:8], "xample", NAME, NAME[:3], PHONE, PHONE[1:]):
            assert secret.encode() not in stored
            assert secret not in text
            assert secret.encode().hex() not in text
        with pytest.raises(InvalidTag):
            Keys.load(shared.settings).unwrap(row["id"], row["data_key"]).open(
                row["profile"], Column("people.patients", "another", "another"), row["id"]
            )
