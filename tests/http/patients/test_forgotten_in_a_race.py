"""Forgetting while bookings are in flight: nothing stays booked, whoever dies in the middle."""

import asyncio
import contextlib
import itertools
import signal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from booking_worker.main import running_worker
from infra.settings import Settings
from tests.clinic import Clinic, Patient, clinic, ingress_process
from tests.http.asking import book, booking
from tests.http.patients.test_forgotten_patients import is_complete
from tests.waiting import until_async

BOOKINGS = 60
DOCTORS = 6
SENT_BEFORE = 20
POLICY = {"max_active_per_patient": BOOKINGS, "slot_minutes": 30}


class TestBookingsInFlight:
    @pytest.mark.parametrize("killed", [False, True], ids=["ingress runs on", "ingress is killed"])
    async def test_are_all_cancelled(
        self, settings: Settings, template: str, tmp_path: Path, killed: bool
    ) -> None:
        async with clinic(settings, template, worker=False, serve=False) as own:
            first, second = (ingress_process(own.settings, tmp_path, number) for number in (1, 2))
            await first.start()
            try:
                async with running_worker(own.settings):
                    bodies, patient = await _bookings(own), await own.patient()
                # Without a worker they stay on the log, undecided, until after the request.
                accepted: list[httpx.Response] = []
                racing = [asyncio.create_task(_try(own, patient, body, accepted)) for body in bodies]
                await until_async(partial(_reached, accepted, SENT_BEFORE), "a third is accepted")
                answer = await own.http.delete("/v1/me", headers=patient.headers)
                assert answer.status_code == 204
                if killed:
                    first.send(signal.SIGKILL)
                    await first.stop()
                    await second.start()
                await asyncio.gather(*racing)
                async with running_worker(own.settings):
                    again = await own.http.delete("/v1/me", headers=patient.headers)
                    await until_async(partial(is_complete, own, patient.id), "the forgetting is complete")

                assert again.status_code == 204, "the second request is answered like the first"
                statuses = await own.postgres.fetch(
                    "SELECT status, count(*) FROM booking.appointments WHERE patient_id = $1 GROUP BY status",
                    patient.id,
                )
                [(status, count)] = statuses
                assert status == "cancelled"
                assert count >= SENT_BEFORE
            finally:
                await first.stop()
                await second.stop()


async def _bookings(own: Clinic) -> list[dict[str, Any]]:
    """A booking for each of the first slots: none overlaps another, so that the patient may have all."""
    doctors = [await own.doctor(policy=POLICY) for _ in range(DOCTORS)]
    slots = (await own.slots(doctors[0]))[:BOOKINGS]
    return [
        booking(doctor, starts_at) for doctor, starts_at in zip(itertools.cycle(doctors), slots, strict=False)
    ]


async def _try(own: Clinic, patient: Patient, body: dict[str, Any], accepted: list[httpx.Response]) -> None:
    with contextlib.suppress(httpx.TransportError):  # the ingress was killed
        answer = await book(own, patient, body, wait=0)
        assert answer.status_code in (202, 401, 503), answer.text
        if answer.status_code == 202:
            accepted.append(answer)


async def _reached(accepted: list[httpx.Response], count: int) -> bool:
    return len(accepted) >= count
