"""Decisions of earlier releases, and failed commands: a repeated request and the status agree."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from infra import clock
from infra.keys import Keys
from ingress.commands.fingerprints import fingerprints
from tests.clinic import CHECKUP, Clinic, Patient
from tests.http.asking import problem


class Booked:
    """A booking, sent once under its own key."""

    def __init__(self, clinic: Clinic, patient: Patient, body: dict[str, Any]) -> None:
        self._clinic = clinic
        self._patient = patient
        self.body = body
        self._key = clock.new_id().hex
        self.keys = Keys.load(clinic.settings)

    async def send(self, **other: Any) -> Any:
        return await self._clinic.send(
            "POST", "/v1/appointments", self._patient.headers, self.body | other, key=self._key
        )

    async def status(self, receipt: str) -> dict[str, Any]:
        answer = await self._clinic.http.get(f"/v1/commands/{receipt}", headers=self._patient.headers)
        found: dict[str, Any] = answer.json()
        return found

    def fingerprints(self) -> tuple[str, ...]:
        said = self.body | {"patient_id": self._patient.id}
        return fingerprints(self.keys, "BookAppointment", said)


async def booked(clinic: Clinic) -> tuple[Booked, dict[str, Any]]:
    doctor_id, patient = await clinic.doctor(), await clinic.patient()
    starts_at = (await clinic.slots(doctor_id))[0]
    utc = clock.now().fromisoformat(starts_at).astimezone(tz=clock.now().tzinfo)
    body = {"doctor_id": doctor_id, "starts_at": utc.isoformat().replace("+00:00", "Z")}
    sent = Booked(clinic, patient, body | {"visit_type": CHECKUP["code"]})
    resource = (await sent.send()).json()
    assert resource["state"] == "confirmed"
    return sent, resource


async def decide(clinic: Clinic, command_id: str, **values: object) -> None:
    """Change a stored decision into what an earlier release would have stored."""
    for column, value in values.items():
        await clinic.postgres.execute(
            f"UPDATE booking.decisions SET {column} = $2 WHERE command_id = $1",
            UUID(command_id),
            value,
        )


async def test_a_decision_with_the_fingerprint_of_an_earlier_release_answers_the_same_request(
    shared: Clinic,
) -> None:
    sent, resource = await booked(shared)
    fingerprint, earlier = sent.fingerprints()
    command_id = UUID(resource["command_id"])
    query = "SELECT fingerprint FROM booking.decisions WHERE command_id = $1"
    assert await shared.postgres.fetchval(query, command_id) == fingerprint != earlier

    await decide(shared, resource["command_id"], fingerprint=earlier)
    repeated = await sent.send()

    assert (repeated.status_code, repeated.headers["idempotency-replayed"]) == (200, "true")
    assert repeated.json() == resource
    assert await sent.status(resource["receipt"]) == resource
    problem(await sent.send(reason="another"), 422, "idempotency_key_reused")


async def test_a_failed_command_and_another_body_have_one_answer(shared: Clinic) -> None:
    sent, resource = await booked(shared)
    await decide(shared, resource["command_id"], state="failed")

    repeated = await sent.send()
    other = await sent.send(reason="another")
    receipt = sent.keys.open_receipt(resource["receipt"])
    assert receipt is not None
    others = replace(receipt, fingerprint="0" * 32, earlier_fingerprint=None)
    status = await sent.status(sent.keys.sign_receipt(others))

    assert (repeated.status_code, repeated.json()["state"]) == (200, "failed")
    problem(other, 422, "idempotency_key_reused")
    assert (status["state"], status["refusal"]["reason"]) == ("refused", "idempotency_key_reused")
