"""Changes of the patients' directory are audited before they are made: by whom, of whom, which fields."""

from typing import Any
from uuid import UUID

from contracts.commands import Actor, ActorKind
from contracts.security import PatientChanged, PatientRead, PatientRegistered, PatientsSearched
from tests.clinic import Clinic
from tests.http.asking import get, pointers, problem
from tests.http.audit.test_security_events import REQUEST_ID, TRACE, by, on_the_topic
from tests.http.people import NAME, PHONE, new_address, patch_me, register


async def patch(clinic: Clinic, path: str, who: dict[str, str], body: dict[str, Any], status: int) -> Any:
    answer = await clinic.http.patch(path, headers=who, json=body)
    assert answer.status_code == status, answer.text
    return answer


async def test_a_registration_is_audited_with_its_id(shared: Clinic, staff: Actor) -> None:
    headers = {**shared.headers(staff), **TRACE}
    body = {"email": new_address(), "name": "Canary Quagga"}
    answer = await shared.http.post("/v1/patients", headers=headers, json=body)
    assert answer.status_code == 201

    [registered] = await by(shared, staff)

    assert isinstance(registered, PatientRegistered)
    assert (str(registered.patient_id), registered.request_id) == (answer.json()["id"], REQUEST_ID)


async def test_a_registration_of_a_known_address_is_audited_as_a_read(shared: Clinic, staff: Actor) -> None:
    known = await register(shared, email := new_address(), name=NAME)

    body = {"email": email.upper(), "name": "Another"}
    answer = await shared.http.post("/v1/patients", headers=shared.headers(staff), json=body)

    assert answer.status_code == 200
    [read] = await by(shared, staff)
    assert isinstance(read, PatientRead)
    assert str(read.patient_id) == known["id"]


async def test_a_change_by_staff_is_audited_with_its_fields_but_no_values(
    shared: Clinic, staff: Actor
) -> None:
    known, who = await register(shared, new_address(), name=NAME), shared.headers(staff)
    path = f"/v1/patients/{known['id']}"
    body = {"email": f"canary.{new_address()}", "name": None, "language": None, "phone": PHONE}
    await patch(shared, path, who, body, 200)

    [read, changed] = await by(shared, staff)

    assert (type(read), type(changed)) == (PatientRead, PatientChanged)
    assert isinstance(changed, PatientChanged)
    assert (str(changed.patient_id), changed.fields) == (known["id"], ("email", "name", "phone"))
    said = await on_the_topic(shared)
    for secret in ("canary", body["email"], PHONE, NAME):
        assert str(secret).lower().encode() not in said


async def test_a_patients_own_change_is_audited_too(shared: Clinic) -> None:
    patient = await shared.patient()
    await patch_me(shared, patient, reminders=False)
    await patch_me(shared, patient)
    await patch_me(shared, patient, language=None)

    [changed] = await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id))

    assert isinstance(changed, PatientChanged)
    assert (changed.patient_id, changed.fields) == (patient.id, ("reminders",))


async def test_a_refusal_that_reveals_a_known_address_is_audited(shared: Clinic, staff: Actor) -> None:
    patient, other = await shared.patient(), await register(shared, new_address())
    path = f"/v1/patients/{patient.id}"
    body = {"email": other["email"].upper(), "name": "Taken"}
    problem(await patch(shared, path, shared.headers(staff), body, 409), 409, "address_taken")

    [*before, found] = await by(shared, staff)

    assert [type(event) for event in before] == [PatientRead], "nothing was changed"
    assert isinstance(found, PatientsSearched)
    assert (found.by, found.patient_ids) == ("email", (UUID(other["id"]),))


async def test_other_refusals_are_not_audited_as_changes(shared: Clinic) -> None:
    patient = await shared.patient()
    assert pointers(await patch(shared, "/v1/me", patient.headers, {"channel": "sms"}, 422)) == ["/channel"]

    assert await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id)) == []


async def test_setting_the_same_address_again_reveals_nobody(shared: Clinic, staff: Actor) -> None:
    patient = await shared.patient()
    email = (await get(shared.http, "/v1/me", patient.headers))["email"]

    await patch(shared, f"/v1/patients/{patient.id}", shared.headers(staff), {"email": email.upper()}, 200)

    _, changed = await by(shared, staff)
    assert isinstance(changed, PatientChanged)
