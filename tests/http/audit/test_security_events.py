"""Security events: exports, forgotten patients, refused access. `by` filters them for a test."""

import time
from datetime import timedelta
from functools import partial

from contracts.cloudevents import decode_security_event
from contracts.commands import Actor, ActorKind
from contracts.security import (
    AccessReason,
    AccessRefused,
    AuditExported,
    PatientForgotten,
    SecurityEvent,
    UnknownSecurityEvent,
    principal,
)
from contracts.topics import SECURITY_EVENTS_TOPIC
from infra import clock
from ingress.audit.refused_access import SOURCE_BURST
from tests.clinic import Clinic, Patient, records
from tests.http.asking import booked, problem
from tests.http.people import forget, is_cancelled_by_the_patient, new_address, register
from tests.waiting import until_async

NAME, PHONE = "Canary Quagga-Lovelace", "+49307654321"
REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = {"traceparent": f"00-{REQUEST_ID}-b7ad6b7169203331-01"}
UNKNOWN_TOKEN = {"Authorization": "Bearer canary.of.atoken"}


async def security_events(clinic: Clinic) -> list[SecurityEvent | UnknownSecurityEvent]:
    """Everything on the topic, partition by partition."""
    found = await records(clinic.settings, SECURITY_EVENTS_TOPIC)
    return [decode_security_event(record) for record in found]


async def on_the_topic(clinic: Clinic) -> bytes:
    """The topic's bytes, in lower case."""
    return b"".join(
        b"".join([record.key, record.value, *(value for _, value in record.headers)])
        for record in await records(clinic.settings, SECURITY_EVENTS_TOPIC)
    ).lower()


async def by(clinic: Clinic, actor: Actor | None) -> list[SecurityEvent | UnknownSecurityEvent]:
    """The events of one principal, in order."""
    return [event for event in await security_events(clinic) if principal(event.actor) == principal(actor)]


async def test_an_export_of_the_audit_trail_is_audited(shared: Clinic, staff: Actor) -> None:
    patient_id = clock.new_id()
    query = {"chain": "security", "patient_id": str(patient_id), "from": "2026-03-05T12:00:00+01:00"}
    answer = await shared.http.get("/v1/audit", headers=shared.headers(staff), params=query)
    assert answer.status_code == 200

    [exported] = await by(shared, staff)

    assert isinstance(exported, AuditExported)
    said = exported.model_dump(mode="json", exclude_none=True)
    assert said.items() >= {
        ("chain", "security"),
        ("patient_id", str(patient_id)),
        ("since", "2026-03-05T11:00:00Z"),
        ("resumed", False),
    }


async def test_forgetting_is_audited(shared: Clinic) -> None:
    patient = await shared.patient()
    await forget(shared, patient)

    [event] = await by(shared, Actor(kind=ActorKind.PATIENT, id=patient.id))

    assert isinstance(event, PatientForgotten)
    assert event.patient_id == patient.id


class TestAccess:
    """Access that was refused."""

    async def refusals(self, clinic: Clinic, actor: Actor | None, count: int = 1) -> list[AccessRefused]:
        """The refusals of one principal, once there are so many: they are recorded after the answer."""
        found: list[AccessRefused] = []

        async def there() -> bool:
            found[:] = [event for event in await by(clinic, actor) if isinstance(event, AccessRefused)]
            return len(found) >= count

        await until_async(there, f"{count} refusals on the topic", 30)
        return found

    async def test_to_a_staff_endpoint_is_audited(self, shared: Clinic) -> None:
        patient = await shared.patient()
        actor = Actor(kind=ActorKind.PATIENT, id=patient.id)
        who = {**patient.headers, **TRACE}
        problem(await shared.http.get(f"/v1/patients/{clock.new_id()}", headers=who), 403, "forbidden")
        problem(await shared.http.get("/v1/audit", headers=who), 403, "forbidden")

        [first, second] = await self.refusals(shared, actor, 2)

        assert (first.reason, first.method, first.route) == (
            AccessReason.FORBIDDEN,
            "GET",
            "/v1/patients/{patient_id}",
        )
        assert (first.request_id, first.unrecorded, first.appointment_id) == (REQUEST_ID, 0, None)
        assert second.route == "/v1/audit"

    async def test_to_anothers_appointment_is_audited_although_the_answer_is_404(
        self, shared: Clinic
    ) -> None:
        doctor_id, patient, stranger = await shared.doctor(), await shared.patient(), await shared.patient()
        path = await booked(shared, patient.headers, doctor_id, (await shared.slots(doctor_id))[0])
        nothing = f"/v1/appointments/{clock.new_id()}"
        answers = [await shared.http.get(where, headers=stranger.headers) for where in (nothing, path)]
        problem(answers[0], 404, "not_found")
        assert answers[0].content == answers[1].content, "indistinguishable from a missing one"
        problem(await shared.send("DELETE", path, stranger.headers), 404, "not_found")
        receipt = (await shared.send("DELETE", path, patient.headers, wait=0)).headers["location"]
        problem(await shared.http.get(receipt, headers=stranger.headers), 404, "not_found")

        found = await self.refusals(shared, Actor(kind=ActorKind.PATIENT, id=stranger.id), 3)

        assert {event.reason for event in found} == {AccessReason.FOREIGN}
        assert [(event.method, str(event.appointment_id)) for event in found] == [
            ("GET", path.rpartition("/")[2]),
            ("DELETE", path.rpartition("/")[2]),
            ("GET", "None"),
        ]
        assert receipt.rpartition("/")[2] not in str(found)

    async def test_with_a_bad_token_is_audited_and_without_a_token_is_not(self, clinic: Clinic) -> None:
        problem(await clinic.http.get("/v1/me"), 401, "unauthenticated")
        expired = clinic.headers(Actor(kind=ActorKind.STAFF, id=clock.new_id()), timedelta(hours=-1))
        for who in (UNKNOWN_TOKEN, expired):
            answer = await clinic.http.get("/v1/patients?email=canary@example.org", headers=who)
            problem(answer, 401, "unauthenticated")

        found = await self.refusals(clinic, None, 2)

        assert [(event.reason, event.route, event.actor) for event in found] == [
            (AccessReason.INVALID_TOKEN, "/v1/patients", None)
        ] * 2
        raw = await on_the_topic(clinic)
        assert b"127.0.0.1" not in raw
        assert b"canary" not in raw

    async def test_repeated_refusals_do_not_fill_the_log(self, clinic: Clinic) -> None:
        begun_s = time.monotonic()
        asked = SOURCE_BURST * 5
        for _ in range(asked):
            answer = await clinic.http.get("/v1/me", headers=UNKNOWN_TOKEN)
            problem(answer, 401, "unauthenticated")
        at_most = SOURCE_BURST + (time.monotonic() - begun_s) + 1

        found = await self.refusals(clinic, None, SOURCE_BURST)

        assert len(found) <= at_most
        metrics = (await clinic.http.get("/metrics")).text
        assert 'clinic_security_events_lost_total{why="limited"}' in metrics


async def test_the_topic_contains_nothing_personal(clinic: Clinic, staff: Actor) -> None:
    doctor_id = await clinic.doctor()
    known = await register(clinic, email := new_address(), name=NAME, phone=PHONE)
    patient = Patient(known["id"], clinic.headers(Actor(kind=ActorKind.PATIENT, id=known["id"])))
    path = await booked(
        clinic, patient.headers, doctor_id, (await clinic.slots(doctor_id))[0], reason="Canary knee"
    )
    who = clinic.headers(staff)
    for read in (f"/v1/patients/{known['id']}", f"/v1/patients?email={email}", "/v1/audit", path):
        assert (await clinic.http.get(read, headers=who)).status_code == 200
    assert (await clinic.http.get("/v1/patients", headers=patient.headers)).status_code == 403
    await forget(clinic, patient)
    await until_async(partial(is_cancelled_by_the_patient, clinic, path), "the appointment is cancelled")

    async def all_there() -> bool:
        return len(await security_events(clinic)) >= 5

    await until_async(all_there, "five events")
    said = await on_the_topic(clinic)
    local_part = email.partition("@")[0]
    for secret in (email, local_part, "example.org", NAME, "canary", PHONE, "7654321", "knee"):
        assert secret.lower().encode() not in said, secret
    assert known["id"].encode() in said
