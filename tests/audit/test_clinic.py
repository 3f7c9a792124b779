"""The trail of a real clinic: writes and reads are in it, personal data is not."""

import asyncio

from auditor.main import running_auditor
from contracts.security import PatientRead
from infra import clock
from ops.audit.verify import Asked, walk
from tests.clinic import Clinic
from tests.waiting import until_async

CANARIES = ("Quagga", "canary.", "4930765", "left knee", "conference in", "quaggology", "Okapi")


async def test_it_contains_nothing_personal(clinic: Clinic) -> None:
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    body = {
        "email": f"canary.{clock.new_id().hex}@example.org",
        "name": "Canary Quagga-Lovelace",
        "phone": "+49307654321",
    }
    registered = await clinic.http.post("/v1/patients", headers=clinic.staff | headers, json=body)
    assert registered.status_code == 201, registered.text
    patient = registered.json()["id"]
    visit = {"code": "checkup", "name": "Okapi examination", "minutes": 30}
    doctor = await clinic.doctor(name="Dr. Quagga", specialty="quaggology", visit_types=[visit])
    slots = await clinic.slots(doctor)
    booking = {
        "doctor_id": doctor,
        "starts_at": slots[0],
        "visit_type": "checkup",
        "patient_id": patient,
        "reason": "My left knee",
    }
    made = await clinic.confirmed("POST", "/v1/appointments", clinic.staff, booking)
    path = f"/v1/appointments/{made['appointment_id']}"
    await clinic.confirmed("DELETE", f"{path}?reason=doctor_ill", clinic.staff)
    away = {"starts_at": slots[-2], "ends_at": slots[-1], "note": "A conference in Paris"}
    await clinic.confirmed("POST", f"/v1/doctors/{doctor}/time-off", clinic.staff, away)
    read = await clinic.http.get(f"/v1/patients/{patient}", headers=clinic.staff)
    assert read.status_code == 200, read.text

    async def all_kept() -> bool:
        return int(await clinic.postgres.fetchval("SELECT count(*) FROM audit.entries")) >= 6

    async with running_auditor(clinic.settings.model_copy(update={"audit_head_interval_s": 0.1})):
        await until_async(all_kept, "all is kept", 60)

    rows = []
    for table in ("entries", "heads", "chains", "stubs", "progress"):
        found = await clinic.postgres.fetch(f"SELECT t::text AS row FROM audit.{table} t")
        rows += [row["row"] for row in found]
    sealed = [
        row["sealed"]
        for row in await clinic.postgres.fetch(
            "SELECT coalesce(data->>'reason', data->>'note') AS sealed FROM booking.events "
            "WHERE type IN ('AppointmentBooked', 'AppointmentCancelled', 'TimeBlocked')"
        )
    ]
    assert len(sealed) == 3
    assert all(sealed)
    everything = "\n".join(rows)
    assert [text for text in (*CANARIES, *sealed) if text.lower() in everything.lower()] == []
    assert patient in everything
    actions = {
        (row["chain"], row["action"])
        for row in await clinic.postgres.fetch("SELECT chain, action FROM audit.entries")
    }
    assert {("booking", "AppointmentCancelled"), ("security", PatientRead.__name__)} <= actions


async def test_security_events_are_chained_in_the_same_way(clinic: Clinic) -> None:
    patient = await clinic.patient()
    for _ in range(5):
        read = await clinic.http.get(f"/v1/patients/{patient.id}", headers=clinic.staff)
        assert read.status_code == 200, read.text

    async def kept() -> bool:
        query = "SELECT coalesce(sum(size), 0)::bigint FROM audit.chains WHERE chain = 'security'"
        return int(await clinic.postgres.fetchval(query)) >= 5

    async with running_auditor(clinic.settings):
        await until_async(kept, "the reads are kept", 60)
    reports = await asyncio.to_thread(walk, clinic.settings, Asked(chain="security"))
    assert [report.finding for report in reports] == [None] * len(reports)
    assert sum(report.entries for report in reports) == 5
