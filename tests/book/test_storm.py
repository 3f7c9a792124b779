"""Many simultaneous requests for the same slots: one wins, everyone gets an answer, the ledger is right."""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from benchmarks.http.load import Connection, connect
from contracts.cloudevents import decode_event
from contracts.commands import Actor, ActorKind
from infra import clock
from ops.tokens import register_patients
from tests.clinic import CHECKUP, Clinic, Patient
from tests.delivery.ledger import check, settle

ANSWER_TIMEOUT_S = 30.0
TRIES = 3


@dataclass(frozen=True)
class Answer:
    """Status and command resource."""

    status: int
    resource: dict[str, Any]

    @property
    def outcome(self) -> str:
        """`confirmed`, the reason of a refusal, or an unexpected answer."""
        if self.status != 200:
            return f"{self.status} {self.resource}"
        refusal = self.resource["refusal"]
        return str(refusal["reason"] if refusal else self.resource["state"])


class Client:
    """A patient with a connection of its own; raw HTTP, as a thousand of them share this process."""

    def __init__(self, patient: Patient, connection: Connection) -> None:
        self._headers = patient.headers
        self._connection = connection

    async def book(self, doctor_id: str, starts_at: str, key: str | None = None) -> Answer:
        """One booking."""
        body = {"doctor_id": doctor_id, "starts_at": starts_at, "visit_type": CHECKUP["code"]}
        return await self._send("POST", "/v1/appointments", json.dumps(body), key)

    async def cancel(self, path: str) -> Answer:
        """One cancellation."""
        return await self._send("DELETE", path, "", None)

    async def _send(self, method: str, path: str, body: str, key: str | None) -> Answer:
        headers = {
            **self._headers,
            "Host": "clinic",
            "Idempotency-Key": key or clock.new_id().hex,
            "Prefer": "wait=10",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        self._connection.send(
            "\r\n".join([*lines, "", body]).encode(),
            lambda status, content: answer.set_result((status, content)),
        )
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            status, content = await answer
        return Answer(status, json.loads(content or "{}"))


@contextlib.asynccontextmanager
async def crowd(clinic: Clinic, patients: int, connections_each: int = 1) -> AsyncIterator[list[Client]]:
    """New patients, each with so many open connections."""
    addresses = [f"{clock.new_id().hex}@example.org" for _ in range(patients)]
    ids = await register_patients(clinic.settings, addresses)
    known = [Patient(id_, clinic.headers(Actor(kind=ActorKind.PATIENT, id=id_))) for id_ in ids]
    each = [patient for patient in known for _ in range(connections_each)]
    connections = [await connect(clinic.settings.url) for _ in each]
    try:
        yield [Client(patient, connection) for patient, connection in zip(each, connections, strict=True)]
    finally:
        for connection in connections:
            connection.close()


async def events(clinic: Clinic) -> Counter[str]:
    """The number of events of each type on the topic."""
    found = (decode_event(record) for record in await clinic.events())
    return Counter(type(event.fact).__name__ for event in found)


async def decisions(clinic: Clinic, command_type: str) -> Counter[str]:
    """The number of decisions of each outcome in the database."""
    rows = await clinic.postgres.fetch(
        "SELECT coalesce(reason, state) AS outcome FROM booking.decisions WHERE command_type = $1",
        command_type,
    )
    return Counter(row["outcome"] for row in rows)


async def test_a_thousand_clients_for_one_slot(clinic: Clinic) -> None:
    doctor_id = await clinic.doctor()
    slot = (await clinic.slots(doctor_id))[0]
    async with crowd(clinic, 1_000) as clients:
        answers = await asyncio.gather(*(client.book(doctor_id, slot) for client in clients))

    expected = {"confirmed": 1, "slot_taken": 999}
    assert Counter(answer.outcome for answer in answers) == expected
    await settle(clinic)
    await check(clinic)
    assert await decisions(clinic, "BookAppointment") == expected
    [winner] = [answer.resource for answer in answers if answer.outcome == "confirmed"]
    [appointment] = await clinic.postgres.fetch("SELECT id, status FROM booking.appointments")
    assert (str(appointment["id"]), appointment["status"]) == (winner["appointment_id"], "booked")
    counts = await events(clinic)
    assert (counts["AppointmentBooked"], counts["CommandRefused"]) == (1, 999)


async def test_twenty_clients_with_one_key(clinic: Clinic) -> None:
    doctor_id = await clinic.doctor()
    slot = (await clinic.slots(doctor_id))[0]
    async with crowd(clinic, 1, connections_each=20) as clients:
        answers = await asyncio.gather(*(client.book(doctor_id, slot, "one-key") for client in clients))

    assert len(answers) == 20
    assert answers[0].outcome == "confirmed"
    assert all(answer == answers[0] for answer in answers)
    await settle(clinic)
    await check(clinic)
    assert await decisions(clinic, "BookAppointment") == {"confirmed": 1}
    assert await clinic.postgres.fetchval("SELECT count(*) FROM booking.appointments") == 1
    assert (await events(clinic))["AppointmentBooked"] == 1


async def test_two_hundred_patients_on_twenty_slots_that_become_free_again(clinic: Clinic) -> None:
    seed = clock.new_id().int
    chance = random.Random(seed)
    doctors = [await clinic.doctor(), await clinic.doctor()]
    times = (await clinic.slots(doctors[0]))[:20:2]
    slots = [(doctor_id, time) for doctor_id in doctors for time in times]
    booked: Counter[str] = Counter()
    cancelled: Counter[str] = Counter()

    async def come_and_go(client: Client) -> None:
        for _ in range(TRIES):
            answer = await client.book(*chance.choice(slots))
            booked[answer.outcome] += 1
            # Every other one changes its mind.
            if answer.outcome == "confirmed" and booked["confirmed"] % 2:
                again = await client.cancel(answer.resource["links"]["appointment"])
                cancelled[again.outcome] += 1

    async with crowd(clinic, 200) as clients:
        await asyncio.gather(*(come_and_go(client) for client in clients))

    said = f"seed {seed}: booked {booked}, cancelled {cancelled}"
    assert booked.keys() <= {"confirmed", "slot_taken", "patient_busy"}, said
    assert booked["confirmed"] >= cancelled["confirmed"] > 0, said
    assert cancelled.keys() == {"confirmed"}, said
    await settle(clinic)
    await check(clinic)
    assert await decisions(clinic, "BookAppointment") == booked, said
    still = await clinic.postgres.fetchval(
        "SELECT count(*) FROM booking.appointments WHERE status = 'booked'"
    )
    assert still == booked["confirmed"] - cancelled["confirmed"], said
