"""Free text of patients: encrypted before it leaves the ingress."""

from typing import Any
from uuid import UUID

import pytest

from contracts.topics import COMMANDS_TOPIC, EVENTS_TOPIC
from infra.keys import Keys
from storage.patients import REASON
from tests.clinic import Clinic, data, records
from tests.http.asking import book, booked, booking, cancel, get, problem
from tests.http.people import forget
from tests.waiting import until_async

REASON_TEXT = "It hurts since Monday, behind the left knee"


async def test_the_reason_for_a_visit_is_readable_only_with_the_patients_key(
    clinic: Clinic, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    body = booking(doctor_id, (await clinic.slots(doctor_id))[0], reason=REASON_TEXT)
    booked = await clinic.confirmed("POST", "/v1/appointments", patient.headers, body)
    answers = [
        await book(clinic, patient, body | {"starts_at": "soon"}),
        await book(clinic, patient, body | {"reason": f"{REASON_TEXT}\0"}),
        await book(clinic, patient, body | {"reason": REASON_TEXT * 100}),
        await book(clinic, patient, body | {REASON_TEXT[:5]: REASON_TEXT}),
        await book(clinic, await clinic.patient(), body),
    ]
    await cancel(clinic, booked["links"]["appointment"], patient.headers)

    async def published() -> bool:
        return any(
            b"AppointmentCancelled" in dict(record.headers)["ce_type"] for record in await clinic.events()
        )

    await until_async(published, "the cancellation on the events' topic")
    commands, events = (
        await records(clinic.settings, COMMANDS_TOPIC),
        await records(clinic.settings, EVENTS_TOPIC),
    )

    [command] = [data(record) for record in commands if data(record)["command_id"] == booked["command_id"]]
    sealed = [command["reason"]]
    sealed += [
        data(record)["reason"] for record in events if b".Appointment" in dict(record.headers)["ce_type"]
    ]
    assert len(sealed) == 3
    wrapped = await clinic.postgres.fetchval("SELECT data_key FROM people.patients WHERE id = $1", patient.id)
    key = Keys.load(clinic.settings).unwrap(patient.id, wrapped)
    appointment_id = UUID(booked["appointment_id"])
    assert {key.open_text(text, REASON, appointment_id) for text in sealed} == {REASON_TEXT}

    some_words = REASON_TEXT[:14]
    for record in commands + events:
        assert some_words.encode() not in record.value + (record.key or b"") + b"".join(
            dict(record.headers).values()
        )
    assert not [answer.text for answer in answers if some_words in answer.text]
    stored = await clinic.postgres.fetch("SELECT a::text AS row FROM booking.appointments a")
    assert not [row for row in stored if some_words in row["row"]]
    assert some_words not in caplog.text + "".join(capfd.readouterr())


async def test_owner_and_staff_read_the_reason_until_the_patient_is_forgotten(clinic: Clinic) -> None:
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    free = await clinic.slots(doctor_id)
    path = await booked(clinic, patient.headers, doctor_id, free[0], reason=REASON_TEXT)
    without = await booked(clinic, patient.headers, doctor_id, free[4])

    async def read(who: Any) -> list[str | None]:
        listed = await get(clinic.http, "/v1/appointments", who, patient_id=str(patient.id))
        found = [await get(clinic.http, each, who) for each in (path, without)]
        assert listed["items"] == found
        return [appointment["reason"] for appointment in found]

    assert await read(patient.headers) == await read(clinic.staff) == [REASON_TEXT, None]
    problem(await clinic.http.get(path, headers=(await clinic.patient()).headers), 404, "not_found")
    day = free[0][:10]
    shown = await get(
        clinic.http, f"/v1/doctors/{doctor_id}/calendar", clinic.staff, **{"from": day, "to": day}
    )
    several = await get(
        clinic.http, "/v1/calendar", clinic.staff, doctor_id=doctor_id, **{"from": day, "to": day}
    )
    previews = [
        await clinic.http.post(f"/v1/doctors/{doctor_id}/{change}/preview", headers=clinic.staff, json=body)
        for change, body in (
            ("schedule", {"hours": []}),
            ("time-off", {"starts_at": free[0], "ends_at": free[5]}),
        )
    ]
    for appointments in (
        shown["appointments"],
        several["items"][0]["appointments"],
        *(preview.json()["items"] for preview in previews),
    ):
        assert [appointment["reason"] for appointment in appointments] == [REASON_TEXT, None]

    await forget(clinic, patient)
    assert await read(clinic.staff) == [None, None]
