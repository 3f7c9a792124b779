"""Without Kafka, requests that have to be audited are refused without effect; all others are served."""

import asyncio

import httpx

from contracts.commands import Actor, ActorKind
from contracts.security import PatientForgotten
from ops.embedded import EmbeddedStack
from tests.clinic import Clinic, Patient
from tests.delivery.test_outages import killed
from tests.http.asking import get, problem
from tests.http.audit.test_security_events import NAME, UNKNOWN_TOKEN, security_events
from tests.http.login.logins import answer, ask, code_of, log_in, may_read, refreshed, session_of
from tests.http.people import new_address, register
from tests.waiting import until_async

RECOVERY_TIMEOUT_S = 60.0
LIVE_SESSIONS = "SELECT id FROM login.sessions WHERE person_id = $1 AND ended_at IS NULL"


async def test_without_kafka_staff_read_no_patient_data(supervised: Clinic, stack: EmbeddedStack) -> None:
    http, staff = supervised.http, supervised.staff
    known = await register(supervised, email := new_address(), name=NAME)
    path = f"/v1/patients/{known['id']}"
    patient = Patient(known["id"], supervised.headers(Actor(kind=ActorKind.PATIENT, id=known["id"])))
    mine = await get(http, "/v1/me", patient.headers)
    another = await register(supervised, new_address())
    tokens, *others = [await log_in(supervised, new_address()) for _ in range(3)]
    challenge_id = await ask(supervised, email)
    assert await get(http, path, staff) == known

    async with killed(stack.processes["kafka"]):
        nobody = new_address()
        unrecorded = await asyncio.gather(
            http.get(path, headers=staff),
            http.get("/v1/patients", params={"email": email}, headers=staff),
            http.get("/v1/patients", params={"email": new_address()}, headers=staff),
            http.post("/v1/patients", json={"email": email}, headers=staff),
            http.post("/v1/patients", json={"email": nobody}, headers=staff),
            http.patch(path, json={"language": "de"}, headers=staff),
            http.patch("/v1/me", json={"language": "de"}, headers=patient.headers),
            http.post("/v1/me/email", json={"email": another["email"]}, headers=patient.headers),
            http.get("/v1/appointments", params={"patient_id": known["id"]}, headers=staff),
            http.get(f"{path}/notes", headers=staff),
            http.post(f"{path}/notes", json={"text": NAME}, headers={**staff, "Idempotency-Key": "note"}),
            http.get("/v1/audit", headers=staff),
            http.delete("/v1/me", headers=patient.headers),
        )
        for refused in unrecorded:
            problem(refused, 503, "log_unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            assert NAME not in refused.text

        assert await get(http, "/v1/me", patient.headers) == mine, (
            "the same answer as before, of their own data"
        )
        others[0] = await refreshed(supervised, others[0])
        for method, ends, who in (
            ("DELETE", "/v1/me/sessions", tokens),
            ("DELETE", f"/v1/me/sessions/{session_of(others[0])}", others[0]),
            ("POST", "/v1/auth/logout", others[1]),
        ):
            ended = await http.request(method, ends, headers=who.headers)
            assert ended.status_code == 204, "to take access away needs no log"
            assert not await may_read(supervised, who)

        code = await code_of(supervised, challenge_id)
        logging_in = await answer(supervised, challenge_id, code)
        problem(logging_in, 503, "log_unavailable")
        assert await supervised.postgres.fetch(LIVE_SESSIONS, known["id"]) == []

        for ids_only in ("/v1/appointments", "/v1/doctors"):
            await get(http, ids_only, staff)
        for _ in range(3):
            problem(await http.get(path, headers=patient.headers), 403, "forbidden")
            problem(await http.get("/v1/me", headers=UNKNOWN_TOKEN), 401, "unauthenticated")

        async def counted() -> bool:
            return 'clinic_security_events_lost_total{why="unavailable"}' in (await http.get("/metrics")).text

        await until_async(counted, "refusals that are not recorded are counted", RECOVERY_TIMEOUT_S)

    async def is_answered(method: str, where: str, who: dict[str, str], status: int) -> bool:
        try:
            answered = await http.request(method, where, headers=who)
        except httpx.TransportError:
            return False  # the ingress is restarting
        return answered.status_code == status

    await until_async(lambda: is_answered("GET", path, staff, 200), "staff read again", RECOVERY_TIMEOUT_S)
    assert (await get(http, "/v1/patients", staff, email=nobody))["items"] == [], "not registered"
    assert (await get(http, f"{path}/notes", staff))["items"] == [], "not written"
    assert (await answer(supervised, challenge_id, code)).status_code == 200, "the same code"
    me = patient.headers
    await until_async(lambda: is_answered("DELETE", "/v1/me", me, 204), "forgotten", RECOVERY_TIMEOUT_S)
    forgotten = [event for event in await security_events(supervised) if isinstance(event, PatientForgotten)]
    assert {str(event.patient_id) for event in forgotten} == {known["id"]}
    assert len({event.event_id for event in forgotten}) == 1, "the repeated request is the same event"
