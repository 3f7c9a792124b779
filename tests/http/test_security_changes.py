"""Changes of the patients' directory are on record before they are done: who, whose, which fields."""

from typing import Any
from uuid import UUID

import pytest

from contracts.commands import Actor, ActorKind
from contracts.security import PatientChanged, PatientRead, PatientRegistered, PatientsSearched
from tests.clinic import Clinic
from tests.http.asking import get, pointers, problem
from tests.http.people import NAME, PHONE, patch_me, register, some_address
from tests.http.test_security_events import REQUEST_ID, TRACE, by, on_the_topic


async def patch(clinic: Clinic, path: str, who: dict[str, str], body: dict[str, Any], status: int) -> Any:
    answer = await clinic.http.patch(path, headers=who, json=body)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_registration_is_on_record_with_its_id(shared: Clinic, staff: Actor) -> None:
    headers = {**shared.headers(staff), **TRACE}
    body = {"email": some_address(), "name": "Canary Quagga"}
    answer = await shared.http.post("/v1/patients", headers=headers, json=body)
    assert answer.status_code == 201

    [registered] = await by(shared, staff)

    assert isinstance(registered, PatientRegistered)
    assert (str(registered.patient_id), registered.request_id) == (answer.json()["id"], REQUEST_ID)


async def test_a_registration_that_meets_a_known_address_is_a_read(shared: Clinic, staff: Actor) -> None:
    known = await register(shared, email := some_address(), name=NAME)

    body = {"email": email.upper(), "name": "Another"}
    answer = await shared.http.post("/v1/patients", headers=shared.headers(staff), json=body)

    assert answer.status_code == 200
    [read] = await by(shared, staff)
    assert isinstance(read, PatientRead)
    assert str(read.patient_id) == known["id"]


async def test_a_change_by_staff_says_which_fields_and_never_what(shared: Clinic, staff: Actor) -> None:
    known, who = await register(shared, some_address(), name=NAME), shared.headers(staff)
    path = f"/v1/patients/{known['id']}"
    body = {"email": f"canary.{some_address()}", "name": None, "language": None, "phone": PHONE}
    await patch(shared, path, who, body, 200)

    [read, changed] = await by(shared, staff)

    assert (type(read), type(changed)) == (PatientRead, PatientChanged)
    assert isinstance(changed, PatientChanged)
    assert (str(changed.patient_id), changed.fields) == (known["id"], ("email", "name", "phone"))
    said = await on_the_topic(shared)
    for secret in ("canary", body["email"], PHONE, NAME):
        assert str(secret).lower().encode() not in said


async def test_a_patients_own_change_is_on_record_too(shared: Clinic) -> None:
    patient = await shared.patient()
    await patch_me(shared, patient, reminders=False)
    await patch_me(shared, patient)
    await patch_me(shared, patient, language=None)

    [changed] = await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id))

    assert isinstance(changed, PatientChanged)
    assert (changed.patient_id, changed.fields) == (patient.id, ("reminders",))


@pytest.mark.parametrize("by_staff", [True, False])
async def test_being_told_that_an_address_is_anothers_finds_a_patient(
    shared: Clinic, staff: Actor, by_staff: bool
) -> None:
    patient, other = await shared.patient(), await register(shared, some_address())
    actor = staff if by_staff else Actor(kind=ActorKind.PATIENT, id=patient.id)
    path = f"/v1/patients/{patient.id}" if by_staff else "/v1/me"
    body = {"email": other["email"].upper(), "name": "Taken"}
    problem(await patch(shared, path, shared.headers(actor), body, 409), 409, "address_taken")

    [*before, found] = await by(shared, actor)

    assert [type(event) for event in before] == [PatientRead] * by_staff, "nothing was changed"
    assert isinstance(found, PatientsSearched)
    assert (found.by, found.patient_ids) == ("email", (UUID(other["id"]),))


async def test_what_is_refused_for_another_reason_is_no_change(shared: Clinic) -> None:
    patient = await shared.patient()
    assert pointers(await patch(shared, "/v1/me", patient.headers, {"channel": "sms"}, 422)) == ["/channel"]

    assert await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id)) == []


async def test_an_address_of_ones_own_is_nobody_elses(shared: Clinic) -> None:
    patient = await shared.patient()
    email = (await get(shared.http, "/v1/me", patient.headers))["email"]

    assert (await patch_me(shared, patient, email=email.upper()))["email"] == email.upper()

    [changed] = await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id))
    assert isinstance(changed, PatientChanged)
