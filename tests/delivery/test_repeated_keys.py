"""A repeated key gets the same answer, whatever was wiped or restarted in between."""

from typing import Any

from booking_worker.main import running_worker
from infra import clock
from infra.redis import connect
from tests.clinic import CHECKUP, Clinic


async def wipe_redis(clinic: Clinic) -> None:
    redis = connect(clinic.settings)
    await redis.flushall()
    await redis.aclose()


async def test_after_a_redis_wipe_and_a_worker_restart(undecided: Clinic) -> None:
    async with running_worker(undecided.settings):
        doctor_id = await undecided.doctor()
        slot = (await undecided.slots(doctor_id))[0]
        body = {"doctor_id": doctor_id, "starts_at": slot, "visit_type": CHECKUP["code"]}
        patients = [await undecided.patient() for _ in range(2)]
        keys = [clock.new_id().hex for _ in patients]

        async def ask() -> list[tuple[int, str | None, Any]]:
            answers = []
            for patient, key in zip(patients, keys, strict=True):
                headers = patient.headers
                answer = await undecided.send("POST", "/v1/appointments", headers, body, key=key)
                replayed = answer.headers.get("idempotency-replayed")
                answers.append((answer.status_code, replayed, answer.json()))
            return answers

        first = await ask()
        assert [answer["state"] for _, _, answer in first] == ["confirmed", "refused"]
        replayed = [(200, "true", answer) for _, _, answer in first]

        await wipe_redis(undecided)
        assert await ask() == replayed

    async with running_worker(undecided.settings):
        assert await ask() == replayed
        await wipe_redis(undecided)
        assert await ask() == replayed
    assert await undecided.postgres.fetchval("SELECT count(*) FROM booking.appointments") == 1
    assert await undecided.postgres.fetchval("SELECT count(*) FROM booking.decisions") == 4
