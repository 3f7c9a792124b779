"""The last release and this one together: two ingresses, two workers, auditor and notifier in turn."""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.jobs import all_of
from ops.replay.verify import verify_all
from tests.clinic import CHECKUP, Clinic, Patient, clinic, records
from tests.releases.conftest import Upgraded
from tests.releases.services import NEW, OLD, Sources, running
from tests.waiting import until_async

DOCTORS = 8
CLIENTS = 8
ROUNDS = 6
TIMEOUT_S = 60.0


class Client:
    """A patient who sends each write to one ingress and repeats it at the other."""

    def __init__(self, patient: Patient, ingresses: list[httpx.AsyncClient], answers: list[Any]) -> None:
        self._patient = patient
        self._ingresses = ingresses
        self._answers = answers

    async def run(self, doctors: list[str], slots: list[str], chance: random.Random) -> None:
        """Book, move and cancel; another client may be faster, which is a refusal."""
        for _ in range(ROUNDS):
            # Of few slots, so that some are refused.
            body = {
                "doctor_id": chance.choice(doctors),
                "starts_at": chance.choice(slots),
                "visit_type": CHECKUP["code"],
                "reason": "A cough",
            }
            booked = await self._twice("POST", "/v1/appointments", body)
            if booked["state"] == "confirmed":
                path = booked["links"]["appointment"]
                moved = {"starts_at": chance.choice(slots), "doctor_id": chance.choice(doctors)}
                await self._twice("POST", f"{path}/reschedule", moved)
                if chance.random() < 0.7:
                    await self._twice("DELETE", path, None)

    async def _twice(self, method: str, path: str, body: Any) -> Any:
        self._ingresses.reverse()
        headers = {**self._patient.headers, "Idempotency-Key": clock.new_id().hex, "Prefer": "wait=10"}
        first, repeated = [
            await ingress.request(method, path, headers=headers, json=body) for ingress in self._ingresses
        ]
        assert (first.status_code, repeated.status_code) == (200, 200), f"{first.text} {repeated.text}"
        assert repeated.headers["idempotency-replayed"] == "true"
        resource = first.json()
        assert without_receipt(repeated.json()) == without_receipt(resource)
        for ingress in self._ingresses:
            status = await ingress.get(f"/v1/commands/{resource['receipt']}", headers=self._patient.headers)
            assert status.json() == resource
        self._answers.append(resource)
        return resource


def without_receipt(resource: dict[str, Any]) -> dict[str, Any]:
    """The answer without the token itself, which a newer release may extend."""
    own = {name: value for name, value in resource.items() if name not in ("receipt", "links")}
    return own | {"appointment": resource["links"]["appointment"]}


async def test_the_last_release_and_this_one_share_the_work(
    upgraded: Upgraded, sources: Sources, tmp_path: Path
) -> None:
    async with (
        clinic(*upgraded, worker=False, serve=False) as own,
        running(own.settings, sources, tmp_path) as services,
    ):
        kinds = [(kind, release) for kind in ("ingress", "worker") for release in (OLD, NEW)]
        await asyncio.gather(*(services.start(*kind) for kind in kinds))
        await until_async(services.share_partitions, "both workers have partitions", TIMEOUT_S)
        answers: list[Any] = []
        for release, seed in ((OLD, 1), (NEW, 2)):
            own.http = services.http[seed % 2]
            followers = [await services.start(kind, release) for kind in ("auditor", "notifier")]
            await all_of(await clients(own, services.http, answers, random.Random(seed)))
            await until_async(lambda: all_followed(own), "auditor and notifier have all events", TIMEOUT_S)
            await asyncio.gather(*(follower.stop() for follower in followers))
        reports, _ = await verify_all(own.settings)
        decided = await own.postgres.fetch("SELECT command_id, state FROM booking.decisions")
        dead_letters = await records(own.settings, DEAD_LETTERS_TOPIC)
        commands = await records(own.settings, COMMANDS_TOPIC)

    states = {str(row["command_id"]): row["state"] for row in decided}
    assert dead_letters == []
    assert Counter(states.values()).keys() == {"confirmed", "refused"}
    assert {answer["command_id"]: answer["state"] for answer in answers}.items() <= states.items()
    assert len(decided) == len({dict(record.headers)["ce_id"] for record in commands})
    assert [finding for report in reports for finding in report.findings] == []
    for child in services.started:
        log = child.log_path.read_text()
        assert "critical" not in log, log[-3000:]
        # How long the last release takes to stop on a busy machine is not changed any more.
        allowed = {0} if child.name.endswith(NEW) else {0, -signal.SIGKILL}
        assert child.exit_code in allowed, f"{child.name} {child.how_it_ended()}"


async def clients(
    own: Clinic, ingresses: list[httpx.AsyncClient], answers: list[Any], chance: random.Random
) -> list[Any]:
    """Patients who share new doctors."""
    doctors = list(await asyncio.gather(*(own.doctor() for _ in range(DOCTORS))))
    slots = (await own.slots(doctors[0]))[: CLIENTS * 2]
    patients = await asyncio.gather(*(own.patient() for _ in range(CLIENTS)))
    return [
        Client(patient, list(ingresses), answers).run(doctors, slots, random.Random(chance.random()))
        for patient in patients
    ]


async def all_followed(own: Clinic) -> bool:
    """Whether the trail and the notifier have processed every event, and every event is published."""
    row = await own.postgres.fetchrow(
        """
        SELECT
            (SELECT count(*) FROM booking.events) AS events,
            (SELECT sum(published_count) FROM booking.partition_progress) AS published,
            (SELECT count(*) FROM audit.entries WHERE chain = 'booking') AS entries,
            (SELECT sum(last_sequence) FROM notify.progress WHERE topic = $1) AS planned
        """,
        f"{own.settings.namespace}{EVENTS_TOPIC.name}",
    )
    assert row is not None
    return len(set(row.values())) == 1
