"""Which reads are on record before they are answered, and which are not: decision record 0011."""

from contracts.commands import Actor, ActorKind
from contracts.security import PatientRead, PatientsSearched
from infra import clock
from tests.clinic import Clinic
from tests.http.asking import booked, get, problem
from tests.http.people import NAME, PHONE, register, some_address
from tests.http.test_security_events import REQUEST_ID, TRACE, by

# By path as the OpenAPI document has it: every read that needs a login is in one of these.
RECORDED = {"/v1/patients", "/v1/patients/{patient_id}", "/v1/audit"}
RECORDED_FOR_ONE_PATIENT = {"/v1/appointments"}
IDS_ONLY = {
    "/v1/appointments/{appointment_id}",
    "/v1/appointments/{appointment_id}/history",
    "/v1/appointments/{appointment_id}/calendar.ics",
    "/v1/commands/{receipt}",
    "/v1/doctors/{doctor_id}/calendar",
}
STREAM = "/v1/staff/events"
OWN = {"/v1/me"}


async def test_every_read_was_thought_of(shared: Clinic) -> None:
    paths = (await get(shared.http, "/openapi.json"))["paths"]
    reads = {path for path, item in paths.items() if item.get("get", {}).get("security")}

    assert reads == RECORDED | RECORDED_FOR_ONE_PATIENT | IDS_ONLY | {STREAM} | OWN


async def test_a_patients_profile_is_on_record_before_the_answer(shared: Clinic, staff: Actor) -> None:
    who = {**shared.headers(staff), **TRACE}
    known = await register(shared, email := some_address(), name=NAME, phone=PHONE)

    await get(shared.http, f"/v1/patients/{known['id']}", who)
    # Nothing is waited for: an answer says that it is there.
    [read] = await by(shared, staff)
    await get(shared.http, "/v1/patients", who, email=email)
    [_, found] = await by(shared, staff)
    await get(shared.http, "/v1/patients", who, email=some_address())
    [*_, nobody] = await by(shared, staff)

    assert isinstance(read, PatientRead)
    assert (str(read.patient_id), read.request_id) == (known["id"], REQUEST_ID)
    assert isinstance(found, PatientsSearched)
    assert (found.by, [str(id_) for id_ in found.patient_ids]) == ("email", [known["id"]])
    assert isinstance(nobody, PatientsSearched)
    assert nobody.patient_ids == ()


async def test_so_are_the_appointments_of_one_patient(shared: Clinic, staff: Actor) -> None:
    patient, who = await shared.patient(), shared.headers(staff)

    for more in ({}, {"limit": 1, "status": "booked"}):
        await get(shared.http, "/v1/appointments", who, patient_id=str(patient.id), **more)

    reads = await by(shared, staff)
    assert [type(event) for event in reads] == [PatientRead, PatientRead]
    assert {event.patient_id for event in reads if isinstance(event, PatientRead)} == {patient.id}
    await get(shared.http, "/v1/appointments", patient.headers, patient_id=str(patient.id))
    assert await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id)) == []


async def test_what_shows_only_ids_is_not_on_record(shared: Clinic, staff: Actor) -> None:
    doctor_id, who = await shared.doctor(), shared.headers(staff)
    known = await register(shared, email := some_address(), name=NAME, phone=PHONE)
    patient = shared.headers(Actor(kind=ActorKind.PATIENT, id=known["id"]))
    path = await booked(shared, patient, doctor_id, (await shared.slots(doctor_id))[0], reason="Canary knee")
    receipt = (await shared.send("DELETE", path, patient, wait=0)).headers["location"]
    ids = {"doctor_id": doctor_id, "appointment_id": path.rpartition("/")[2]}

    for template in ("/v1/appointments", *IDS_ONLY):
        read = template.format(**ids, receipt=receipt.rpartition("/")[2])
        answer = await shared.http.get(read, headers=who)
        assert answer.status_code == 200, read
        for secret in (NAME, PHONE, email, "Canary"):
            assert secret not in answer.text, read
    async with shared.http.stream("GET", STREAM, headers=who) as stream:
        assert stream.status_code == 200
    problem(await shared.http.get(f"/v1/patients/{clock.new_id()}", headers=who), 404, "not_found")

    assert await by(shared, staff) == []


async def test_patients_reading_their_own_is_nobodys_business(shared: Clinic) -> None:
    patient = await shared.patient()
    await get(shared.http, "/v1/me", patient.headers)

    assert await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id)) == []
