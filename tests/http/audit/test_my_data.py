"""A patient fetches all that is kept about them, and who saw it."""

from typing import Any

from contracts.commands import Actor
from contracts.security import PersonalDataExported
from tests.clinic import Clinic, Patient
from tests.http.asking import booked, get, problem
from tests.http.audit.exports import Story
from tests.http.login.logins import log_in, security_events
from tests.http.people import NAME, change, forget, new_address
from tests.waiting import until_async


async def export_of(clinic: Clinic, headers: dict[str, str]) -> Any:
    response = await clinic.http.get("/v1/me/export", headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def test_has_the_profile_the_appointments_with_their_reasons_and_the_logins(audited: Clinic) -> None:
    tokens = await log_in(audited, email := new_address())
    me = await get(audited.http, "/v1/me", tokens.headers)
    patient = Patient(me["id"], tokens.headers)
    await change(audited, patient, name=NAME)
    doctor_id = await audited.doctor()
    free = await audited.slots(doctor_id)
    await booked(audited, tokens.headers, doctor_id, free[0], reason="My canary knee")
    await booked(audited, tokens.headers, doctor_id, free[4])

    found = await export_of(audited, tokens.headers)

    assert found["patient"] == me | {"name": NAME}
    assert found["patient"]["email"] == email
    listed = await get(audited.http, "/v1/appointments", tokens.headers)
    for appointment, shown in zip(found["appointments"], listed["items"], strict=True):
        history = await get(audited.http, f"/v1/appointments/{shown['id']}/history", tokens.headers)
        assert appointment == shown | {"history": history["items"]}
    assert [appointment["reason"] for appointment in found["appointments"]] == ["My canary knee", None]
    assert [login["methods"] for login in found["logins"]] == [["otp"]]


async def test_has_the_notifications(audited: Clinic) -> None:
    patient, other = await audited.patient(), await audited.patient()
    for who in (patient, other):
        await audited.postgres.execute(
            """
            INSERT INTO notify.notifications
                (id, kind, appointment_id, version, patient_id, dated, due_at, deadline_at)
            VALUES (gen_random_uuid(), 'confirmation', $1, 3, $1, now(), now(), now() + interval '1 day')
            """,
            who.id,
        )

    [found] = (await export_of(audited, patient.headers))["notifications"]

    assert found.pop("dated") is not None
    assert found == {
        "kind": "confirmation",
        "appointment_id": str(patient.id),
        "version": 3,
        "channel": None,
        "state": "planned",
        "finished_at": None,
    }


async def test_has_the_notes_of_staff(audited: Clinic, staff: Actor) -> None:
    patient, other = await audited.patient(), await audited.patient()
    for who, text in ((patient, "The older\nnote"), (other, "Another's"), (patient, "The newer")):
        path = f"/v1/patients/{who.id}/notes"
        written = await audited.send("POST", path, audited.headers(staff), {"text": text})
        assert written.status_code == 201, written.text

    notes = (await export_of(audited, patient.headers))["notes"]

    assert [note["text"] for note in notes] == ["The newer", "The older\nnote"]
    known = await get(audited.http, f"/v1/patients/{patient.id}/notes", audited.headers(staff))
    assert notes == known["items"]


async def test_has_what_the_patient_did(audited: Clinic) -> None:
    tokens, other = await log_in(audited, new_address()), await audited.patient()
    me = await get(audited.http, "/v1/me", tokens.headers)
    patient = Patient(me["id"], tokens.headers)
    doctor_id = await audited.doctor()
    await booked(audited, tokens.headers, doctor_id, (await audited.slots(doctor_id))[0])
    # What another patient learned of this one is no entry of the patient's own.
    await audited.postgres.execute(
        """
        INSERT INTO audit.entries
        SELECT chain, partition, number + 1000000, occurred_at, recorded_at, 'PatientsSearched', 'patient',
            $2, doctor_id, appointment_id, $1, command_id, content, hash
        FROM audit.entries WHERE chain = 'security' LIMIT 1
        """,
        patient.id,
        other.id,
    )

    async def actions() -> list[str]:
        found = await export_of(audited, tokens.headers)
        for entry in found["own_entries"]:
            assert entry["content"]["action"] == entry["action"]
            assert entry["content"]["actor"]["id"] == me["id"]
        return [entry["action"] for entry in found["own_entries"]]

    async def all_there() -> bool:
        return {"LoginSucceeded", "AppointmentBooked", "PersonalDataExported"} <= set(await actions())

    await until_async(all_there, "the patient's entries in the trail")
    assert "PatientsSearched" not in await actions()


async def test_says_which_staff_saw_it_alone_or_among_others(
    audited: Clinic, story: Story, staff: Actor
) -> None:
    who = audited.headers(staff)
    other = await audited.patient()
    free = await audited.slots(story.doctors[0])
    await booked(audited, story.patient.headers, story.doctors[0], free[0])
    await booked(audited, other.headers, story.doctors[0], free[4])
    await get(audited.http, f"/v1/patients/{story.patient.id}", who)
    await get(audited.http, "/v1/appointments", who)
    bystander = await audited.patient()

    async def seen(headers: dict[str, str]) -> set[tuple[str, str | None]]:
        entries = (await export_of(audited, headers))["seen_by_staff"]
        assert entries == sorted(entries, key=lambda entry: entry["at"], reverse=True)
        return {(seen["action"], seen["view"]) for seen in entries if seen["staff_id"] == str(staff.id)}

    async def both_are_there() -> bool:
        return await seen(story.patient.headers) >= {("PatientRead", None), ("BookRead", "appointments")}

    await until_async(both_are_there, "both reads in the trail")
    assert await seen(other.headers) == {("BookRead", "appointments")}
    assert await seen(bystander.headers) == set()


async def test_is_recorded_and_for_patients_only(audited: Clinic) -> None:
    tokens = await log_in(audited, new_address())
    me = await get(audited.http, "/v1/me", tokens.headers)
    await export_of(audited, tokens.headers)

    events = [event for event in await security_events(audited) if isinstance(event, PersonalDataExported)]
    assert me["id"] in {str(event.patient_id) for event in events}
    problem(await audited.http.get("/v1/me/export", headers=audited.staff), 403, "forbidden")


async def test_of_a_forgotten_patient_is_not_found(audited: Clinic) -> None:
    patient = await audited.patient()
    assert (await export_of(audited, patient.headers))["appointments"] == []
    await forget(audited, patient)

    problem(await audited.http.get("/v1/me/export", headers=patient.headers), 404, "not_found")
