"""The patients' directory: for staff, and for each patient alone; sealed, and forgotten when asked."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from contracts.commands import Actor, ActorKind
from contracts.topics import COMMANDS, EVENTS
from infra import clock
from infra.keys import Keys
from infra.profiles import CONTEXT
from ingress.patients import REASON_CONTEXT
from tests.clinic import Clinic, Patient, data, free_port, ingress, records
from tests.http.asking import (
    book,
    booked,
    booking,
    cancel,
    events_of,
    get,
    into_the_past,
    pointers,
    problem,
)
from tests.waiting import until_async

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
FIELDS = ["id", "email", "name", "phone", "language", "channel", "reminders", "created_at"]


def some_address() -> str:
    return f"Ada.{clock.new_id().hex}@Example.org"


async def register(clinic: Clinic, email: str, status: int = 201, **more: Any) -> Any:
    """A registration: the patient."""
    response = await clinic.http.post("/v1/patients", headers=clinic.staff, json={"email": email, **more})
    assert response.status_code == status, response.text
    if status == 201:
        assert response.headers["location"] == f"/v1/patients/{response.json()['id']}"
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def patch_me(clinic: Clinic, patient: Patient, **changes: Any) -> Any:
    response = await clinic.http.patch("/v1/me", headers=patient.headers, json=changes)
    assert response.status_code == 200, response.text
    return response.json()


async def store_profile(clinic: Clinic, patient: Patient, content: dict[str, Any]) -> None:
    """A profile as it was sealed by a clinic of other times."""
    keys = Keys.load(clinic.settings.master_key_file)
    wrapped = await clinic.postgres.fetchval("SELECT data_key FROM people.patients WHERE id = $1", patient.id)
    sealed = keys.unwrap(patient.id, wrapped).seal(json.dumps(content).encode(), CONTEXT)
    await clinic.postgres.execute("UPDATE people.patients SET profile = $2 WHERE id = $1", patient.id, sealed)


async def forget(clinic: Clinic, patient: Patient) -> None:
    response = await clinic.http.delete("/v1/me", headers=patient.headers)
    assert (response.status_code, response.content) == (204, b"")


async def is_cancelled_by_the_clinic(clinic: Clinic, path: str) -> bool:
    appointment = await get(clinic.http, path, clinic.staff)
    return (appointment["status"], appointment["cancelled_by"]) == ("cancelled", "clinic")


class TestAPatient:
    async def test_is_registered_and_found_by_staff(self, shared: Clinic) -> None:
        email = some_address()

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
        nobody = await get(shared.http, "/v1/patients", shared.staff, email=some_address())
        assert nobody == {"items": [], "next_cursor": None}
        token = shared.headers(Actor(kind=ActorKind.PATIENT, id=patient["id"]))
        assert await get(shared.http, "/v1/me", token) == patient

    async def test_with_the_same_address_is_the_same_patient(self, shared: Clinic) -> None:
        email = some_address()
        patient = await register(shared, email, name=NAME)

        for again in (email, email.lower(), email.upper()):
            assert await register(shared, again, 200, name="Another", language="de") == patient

    async def test_is_made_once_however_many_ask_at_the_same_time(self, shared: Clinic) -> None:
        body = {"email": some_address(), "name": NAME}
        answers = await asyncio.gather(
            *(shared.http.post("/v1/patients", headers=shared.staff, json=body) for _ in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.content for answer in answers}) == 1

    async def test_needs_little_and_that_must_be_good(self, shared: Clinic) -> None:
        plain = await register(shared, some_address())
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
            body = {"email": some_address(), **change}
            headers = {**shared.staff, "Content-Type": "application/json"}
            response = await shared.http.post("/v1/patients", headers=headers, content=json.dumps(body))
            assert pointers(response) == expected, change
        for query in ({}, {"email": ""}, {"email": "ada"}):
            response = await shared.http.get("/v1/patients", headers=shared.staff, params=query)
            assert pointers(response) == ["/email"]

    async def test_is_for_staff_only(self, shared: Clinic) -> None:
        patient = await shared.patient()
        path = f"/v1/patients/{patient.id}"
        body = {"email": some_address()}
        for who, status, code in ((patient.headers, 403, "forbidden"), ({}, 401, "unauthenticated")):
            problem(await shared.http.post("/v1/patients", headers=who, json=body), status, code)
            problem(await shared.http.get("/v1/patients?email=a@b.c", headers=who), status, code)
            problem(await shared.http.get(path, headers=who), status, code)
            problem(await shared.http.patch(path, headers=who, json={"name": NAME}), status, code)
        found = await get(shared.http, "/v1/patients", shared.staff, email=body["email"])
        assert found["items"] == []
        for nobody in (clock.new_id(), "x"):
            answer = await shared.http.get(f"/v1/patients/{nobody}", headers=shared.staff)
            problem(answer, 404, "not_found")
            path, change = f"/v1/patients/{nobody}", {"name": NAME}
            problem(await shared.http.patch(path, headers=shared.staff, json=change), 404, "not_found")

    async def test_is_changed_by_staff_as_by_themselves(self, shared: Clinic) -> None:
        patient, other = await shared.patient(), await register(shared, some_address())
        path = f"/v1/patients/{patient.id}"
        known = await get(shared.http, path, shared.staff)
        changes: list[dict[str, Any]] = [
            {"name": NAME, "phone": PHONE, "channel": "sms"},
            {"reminders": False, "language": "de"},
            {"reminders": True, "channel": "mail", "phone": None},
            {"email": some_address()},
        ]
        for change in changes:
            known |= change
            answer = await shared.http.patch(path, headers=shared.staff, json=change)
            assert (answer.status_code, answer.json()) == (200, known)
            assert await get(shared.http, "/v1/me", patient.headers) == known
        taken = await shared.http.patch(path, headers=shared.staff, json={"email": other["email"]})
        problem(taken, 409, "address_taken")

    async def test_has_the_clinics_language_unless_they_have_chosen(self, shared: Clinic) -> None:
        port = free_port()
        update = {"port": port, "url": f"http://127.0.0.1:{port}", "language": "de"}
        async with ingress(shared.settings.model_copy(update=update)) as http:
            for chosen, language in ((None, "de"), ("en", "en")):
                body = {"email": some_address(), "language": chosen}
                answer = await http.post("/v1/patients", headers=shared.staff, json=body)
                assert answer.json()["language"] == language

    async def test_is_stored_sealed(self, shared: Clinic) -> None:
        email = some_address()
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
            Keys.load(shared.settings.master_key_file).unwrap(row["id"], row["data_key"]).open(
                row["profile"], "another place"
            )


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


class TestAForgottenPatient:
    async def test_leaves_a_record_without_a_name(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor(policy={"change_notice_minutes": 60 * 24 * 30})
        other_id, patient = await shared.doctor(), await shared.patient()
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]
        free = await shared.slots(doctor_id)
        visited = await booked(shared, patient.headers, doctor_id, free[0], reason="My left knee")
        await into_the_past(shared, visited)
        await shared.confirmed("POST", f"{visited}/outcome", shared.staff, {"outcome": "completed"})
        dropped = await booked(shared, patient.headers, other_id, free[0])
        await cancel(shared, dropped, patient.headers)
        upcoming = [
            await booked(shared, patient.headers, doctor_id, free[4], reason="My right knee"),
            await booked(shared, patient.headers, other_id, free[8]),
        ]
        before = [await get(shared.http, path, shared.staff) for path in (visited, dropped)]

        await forget(shared, patient)

        for path in upcoming:
            await until_async(
                partial(is_cancelled_by_the_clinic, shared, path), "the upcoming appointment is cancelled"
            )
            [*_, (type_, event)] = await events_of(shared, path)
            assert (type_, event["actor"]["kind"]) == ("AppointmentCancelled", "system")
        assert await shared.slots(doctor_id) == free
        assert [await get(shared.http, path, shared.staff) for path in (visited, dropped)] == before
        answer = await shared.http.get(f"/v1/patients/{patient.id}", headers=shared.staff)
        problem(answer, 404, "not_found")
        found = await get(shared.http, "/v1/patients", shared.staff, email=email)
        assert found["items"] == []
        [row] = await shared.postgres.fetch("SELECT * FROM people.patients WHERE id = $1", patient.id)
        assert row["forgotten_at"]
        assert {row["address_index"], row["data_key"], row["profile"]} == {None}

    async def test_has_a_token_that_opens_nothing_any_more(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        free = await shared.slots(doctor_id)
        path = await booked(shared, patient.headers, doctor_id, free[0])

        await forget(shared, patient)

        for method in ("GET", "PATCH", "DELETE"):
            body = {"name": NAME} if method == "PATCH" else None
            again = await shared.http.request(method, "/v1/me", headers=patient.headers, json=body)
            problem(again, 404, "not_found")
        problem(await book(shared, patient, booking(doctor_id, free[4])), 401, "unauthenticated")
        theirs = booking(doctor_id, free[4], patient_id=str(patient.id))
        by_staff = await shared.send("POST", "/v1/appointments", shared.staff, theirs)
        problem(by_staff, 422, "unknown_patient")

        gone = partial(is_cancelled_by_the_clinic, shared, path)
        await until_async(gone, "the appointment is cancelled")
        move = {"starts_at": free[4]}
        assert await shared.refused("POST", f"{path}/reschedule", patient.headers, move) == "not_booked"

    async def test_has_reasons_that_nobody_can_read_again(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(
            shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0], reason="My left knee"
        )
        id_ = path.rpartition("/")[2]
        wrapped = await shared.postgres.fetchval(
            "SELECT data_key FROM people.patients WHERE id = $1", patient.id
        )
        keys = Keys.load(shared.settings.master_key_file)

        async def sealed() -> set[str]:
            on_the_log = [*await records(shared.settings, COMMANDS), *await records(shared.settings, EVENTS)]
            values = [data(record) for record in on_the_log]
            return {
                one["reason"] for one in values if one.get("appointment_id") == id_ and "starts_at" in one
            }

        async def published() -> bool:
            types = [dict(one.headers)["ce_type"] for one in await shared.events() if id_ in str(one.value)]
            return b"clinic.booking.AppointmentCancelled.v1" in types

        [text] = await sealed()
        assert keys.unwrap(patient.id, wrapped).open_text(text, REASON_CONTEXT) == "My left knee"

        await forget(shared, patient)

        await until_async(published, "the cancellation on the events' topic")
        assert await sealed() == {text}, "the log keeps what no key opens"
        rows = await shared.postgres.fetch("SELECT p::text AS row FROM people.patients p")
        assert not [row for row in rows if wrapped.hex() in row["row"]], "the key is nowhere"

    async def test_may_come_back_as_a_new_one(self, shared: Clinic) -> None:
        patient = await shared.patient()
        email = (await get(shared.http, "/v1/me", patient.headers))["email"]
        await forget(shared, patient)

        new = await register(shared, email, name=NAME)

        assert new["id"] != str(patient.id)
        problem(await shared.http.get("/v1/me", headers=patient.headers), 404, "not_found")

    async def test_is_forgotten_once_however_many_ask_at_the_same_time(self, shared: Clinic) -> None:
        doctor_id, patient = await shared.doctor(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])

        answers = await asyncio.gather(
            *(shared.http.delete("/v1/me", headers=patient.headers) for _ in range(5)),
            *(shared.http.patch("/v1/me", headers=patient.headers, json={"name": NAME}) for _ in range(5)),
        )

        assert {answer.status_code for answer in answers[:5]} <= {204, 404}
        assert 204 in {answer.status_code for answer in answers[:5]}
        assert {answer.status_code for answer in answers[5:]} <= {200, 404}

        gone = partial(is_cancelled_by_the_clinic, shared, path)
        await until_async(gone, "the appointment is cancelled")
        types = [type_ for type_, _ in await events_of(shared, path)]
        assert types == ["AppointmentBooked", "AppointmentCancelled"]
