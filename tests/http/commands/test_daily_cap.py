"""A patient sends so many commands a day; staff as many as there is work."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from contracts.topics import COMMANDS_TOPIC
from infra import clock
from tests.clinic import Clinic, Patient, free_port, ingress, records
from tests.http.asking import booking, problem

CAP = 3
TOO_FAR_AHEAD = (clock.now() + timedelta(days=1_000)).isoformat()


@pytest.fixture(params=["with Redis", "without Redis"])
async def capped(shared: Clinic, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    """An ingress with a small cap, beside the shared one."""
    port = free_port()
    update: dict[str, object] = {
        "port": port,
        "url": f"http://127.0.0.1:{port}",
        "patient_commands_per_day": CAP,
    }
    if request.param == "without Redis":
        nobody = type(shared.settings.redis_url)(f"redis://127.0.0.1:{free_port()}/0")
        update["redis_url"] = nobody
    async with ingress(shared.settings.model_copy(update=update)) as http:
        yield http


async def _book(
    http: httpx.AsyncClient, who: dict[str, str], body: dict[str, str], key: str
) -> httpx.Response:
    headers = {**who, "Idempotency-Key": key, "Prefer": "wait=10"}
    return await http.post("/v1/appointments", headers=headers, json=body)


async def test_refused_commands_count_and_repeats_do_not(
    shared: Clinic, capped: httpx.AsyncClient, doctor_id: str
) -> None:
    patient, other = await shared.patient(), await shared.patient()
    never = booking(doctor_id, TOO_FAR_AHEAD)  # refused, and kept for ever

    for number in range(CAP):
        answer = await _book(capped, patient.headers, never, f"key-{number}")
        assert answer.json()["state"] == "refused"
    before = len(await records(shared.settings, COMMANDS_TOPIC))
    refused = await _book(capped, patient.headers, never, "one-more")
    repeated = await _book(capped, patient.headers, never, "key-0")

    problem(refused, 429, "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 60 * 60
    assert repeated.headers["idempotency-replayed"] == "true"
    assert len(await records(shared.settings, COMMANDS_TOPIC)) == before
    assert (await _book(capped, other.headers, never, "key")).json()["state"] == "refused", "others go on"


async def test_staff_are_not_capped(
    shared: Clinic, capped: httpx.AsyncClient, doctor_id: str, patient: Patient
) -> None:
    never = booking(doctor_id, TOO_FAR_AHEAD, patient_id=str(patient.id))

    states = [
        (await _book(capped, shared.staff, never, f"{capped.base_url}{number}")).json()["state"]
        for number in range(CAP + 2)
    ]

    assert states == ["refused"] * (CAP + 2)
