"""Reads that are audited before they are answered, and reads that are not: decision record 0011."""

from contracts.commands import Actor, ActorKind
from contracts.security import BookRead, PatientRead, PatientsSearched
from infra import clock
from tests.clinic import Clinic
from tests.http.asking import booked, get, problem
from tests.http.audit.test_security_events import REQUEST_ID, TRACE, by
from tests.http.people import NAME, PHONE, new_address, register
from tests.waiting import until_async

# By path as in the OpenAPI document: every read that needs a login is in one of these.
NOTES = "/v1/patients/{patient_id}/notes"
RECORDED = {"/v1/patients", "/v1/patients/{patient_id}", NOTES, "/v1/audit", "/v1/me/export"}
# Recorded soon after the answer: the view that their event names.
RECORDED_SOON = {
    "/v1/appointments": "appointments",
    "/v1/appointments/{appointment_id}": "appointment",
    "/v1/appointments/{appointment_id}/history": "history",
    "/v1/appointments/{appointment_id}/calendar.ics": "calendar_entry",
    "/v1/doctors/{doctor_id}/calendar": "calendar",
    "/v1/calendar": "calendars",
}
RECEIPT = "/v1/commands/{receipt}"
STREAM = "/v1/staff/events"
OWN = {"/v1/me", "/v1/me/sessions", "/v1/me/passkeys", "/v1/me/calendar-link"}
# Of no patient: when the link to a doctor's times was made, and figures.
IMPERSONAL = {
    "/v1/doctors/{doctor_id}/calendar-link",
    *(f"/v1/analytics/{figures}" for figures in ("utilisation", "outcomes", "lead-time")),
}


async def test_every_read_is_classified(shared: Clinic) -> None:
    paths = (await get(shared.http, "/openapi.json"))["paths"]
    reads = {path for path, item in paths.items() if item.get("get", {}).get("security")}

    assert reads == RECORDED | RECORDED_SOON.keys() | {STREAM, RECEIPT} | OWN | IMPERSONAL


async def test_a_read_of_a_patients_profile_is_audited_before_the_answer(
    shared: Clinic, staff: Actor
) -> None:
    who = {**shared.headers(staff), **TRACE}
    known = await register(shared, email := new_address(), name=NAME, phone=PHONE)

    await get(shared.http, f"/v1/patients/{known['id']}", who)
    # Nothing to wait for: once there is an answer, the event is on the topic.
    [read] = await by(shared, staff)
    await get(shared.http, "/v1/patients", who, email=email)
    [_, found] = await by(shared, staff)
    await shared.http.post("/v1/patients/search", headers=who, json={"email": new_address()})
    [*_, nobody] = await by(shared, staff)

    assert isinstance(read, PatientRead)
    assert (str(read.patient_id), read.request_id) == (known["id"], REQUEST_ID)
    assert isinstance(found, PatientsSearched)
    assert (found.by, [str(id_) for id_ in found.patient_ids]) == ("email", [known["id"]])
    assert isinstance(nobody, PatientsSearched)
    assert nobody.patient_ids == ()


async def test_so_is_a_read_of_one_patients_appointments(shared: Clinic, staff: Actor) -> None:
    patient, who = await shared.patient(), shared.headers(staff)

    for filters in ({}, {"limit": 1, "status": "booked"}):
        await get(shared.http, "/v1/appointments", who, patient_id=str(patient.id), **filters)

    reads = await by(shared, staff)
    assert [type(event) for event in reads] == [PatientRead, PatientRead]
    assert {event.patient_id for event in reads if isinstance(event, PatientRead)} == {patient.id}
    await get(shared.http, "/v1/appointments", patient.headers, patient_id=str(patient.id))
    assert await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id)) == []


async def test_each_list_screen_and_stream_leaves_one_event(shared: Clinic, staff: Actor) -> None:
    doctor_id, who = await shared.doctor(), {**shared.headers(staff), **TRACE}
    known = await register(shared, email := new_address(), name=NAME, phone=PHONE)
    patient_id = known["id"]
    patient = shared.headers(Actor(kind=ActorKind.PATIENT, id=patient_id))
    slots = await shared.slots(doctor_id)
    paths = [await booked(shared, patient, doctor_id, slots[at]) for at in (0, 4)]
    receipt = (await shared.send("DELETE", paths[0], patient, wait=0)).headers["location"]
    ids = {"doctor_id": doctor_id, "appointment_id": paths[0].rpartition("/")[2]}
    queries = {
        "/v1/appointments": {"doctor_id": doctor_id},
        "/v1/calendar": {"doctor_id": doctor_id, "from": slots[0][:10]},
    }
    own_ids = []

    for template in (*RECORDED_SOON, RECEIPT):
        read = template.format(**ids, receipt=receipt.rpartition("/")[2])
        answer = await shared.http.get(read, headers=who, params=queries.get(template))
        assert answer.status_code == 200, read
        own_ids.append(answer.headers["x-request-id"])
        for secret in (NAME, PHONE, email):
            assert secret not in answer.text, read
    async with shared.http.stream("GET", STREAM, headers=who) as stream:
        assert stream.status_code == 200
    problem(await shared.http.get(f"/v1/patients/{clock.new_id()}", headers=who), 404, "not_found")

    async def all_there() -> bool:
        return len(await by(shared, staff)) >= len(RECORDED_SOON) + 1

    await until_async(all_there, "an event for each")
    found = [event for event in await by(shared, staff) if isinstance(event, BookRead)]
    assert [event.view for event in found] == [*RECORDED_SOON.values(), "stream"]
    assert len(await by(shared, staff)) == len(found), "nothing for a receipt"
    assert [str(id_) for event in found for id_ in event.patient_ids] == [patient_id] * len(RECORDED_SOON)
    assert [event.shown for event in found] == [2, 1, 1, 1, 2, 2, 0]
    assert {event.request_id for event in found} == {REQUEST_ID}, "the client's"
    assert [event.own_request_id for event in found][:-1] == own_ids[:-1], "our own, as in the answer"


async def test_a_look_up_by_id_is_one_event_before_the_answer(shared: Clinic, staff: Actor) -> None:
    known = [await register(shared, new_address()) for _ in range(3)]
    ids = [patient["id"] for patient in known]
    asked = {"ids": [*ids, ids[0], str(clock.new_id())]}

    answer = await shared.http.post("/v1/patients/lookup", headers=shared.headers(staff), json=asked)

    [read] = await by(shared, staff)
    assert {patient["id"] for patient in answer.json()["items"]} == set(ids)
    assert isinstance(read, PatientsSearched)
    assert (read.by, sorted(map(str, read.patient_ids))) == ("id", sorted(ids))


async def test_patients_reads_of_their_own_data_are_not_audited(shared: Clinic) -> None:
    patient = await shared.patient()
    await get(shared.http, "/v1/me", patient.headers)

    assert await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id)) == []
