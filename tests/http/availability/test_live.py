"""Times that are taken and freed, as anybody sees it happen."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from infra import clock
from infra.settings import Settings
from ingress.availability import live
from ingress.event_stream.feed import StoredEvent, Watcher
from tests.clinic import Clinic, instant
from tests.clinic import clinic as running_clinic
from tests.http.asking import booked, cancel, problem, reschedule
from tests.http.event_stream.live_reader import Reader
from tests.waiting import until_async


@contextlib.asynccontextmanager
async def watching(clinic: Clinic, doctor_id: str) -> AsyncIterator[Reader]:
    path = f"/v1/doctors/{doctor_id}/availability/events"
    async with clinic.http.stream("GET", path) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        reader = Reader()
        reading = asyncio.create_task(reader.read(response.aiter_lines()))

        async def connected() -> bool:
            return bool(reader.comments)

        await until_async(connected, "the stream is open")
        try:
            yield reader
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def changes(reader: Reader) -> list[tuple[str, datetime]]:
    """Each change and the start of its time."""
    found = []
    for change, data in reader.messages:
        times = json.loads(data)
        assert list(times) == ["starts_at", "ends_at"], "nothing else is told"
        assert instant(times["starts_at"]) < instant(times["ends_at"])
        found.append((change, instant(times["starts_at"])))
    return found


async def test_what_patients_do(shared: Clinic) -> None:
    doctor_id, other_id, patient = await shared.doctor(), await shared.doctor(), await shared.patient()
    first, _, second, *_ = await shared.slots(doctor_id)
    async with watching(shared, doctor_id) as reader, watching(shared, other_id) as other:
        path = await booked(shared, patient.headers, doctor_id, first, reason="secret")
        await reschedule(shared, path, patient.headers, second)
        await reschedule(shared, path, patient.headers, second, doctor_id=other_id)
        await cancel(shared, path, patient.headers)
        await reader.until(4)
        await other.until(2)
    a, b = instant(first), instant(second)
    seen = changes(reader)
    seen.remove(("freed", b))  # The other doctor's partition tells it, in no order to this one's.
    assert seen == [("taken", a), ("freed", a), ("taken", b)]
    assert changes(other) == [("taken", b), ("freed", b)]


async def test_what_the_clinic_does(shared: Clinic) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    first, *_ = await shared.slots(doctor_id)
    await booked(shared, patient.headers, doctor_id, first)
    times = {"starts_at": first, "ends_at": first[:11] + "17:00" + first[16:]}
    async with watching(shared, doctor_id) as reader:
        body = times | {"note": "secret", "cancel_conflicting": True}
        off = await shared.confirmed("POST", f"/v1/doctors/{doctor_id}/time-off", shared.staff, body)
        await shared.confirmed(
            "DELETE", f"/v1/doctors/{doctor_id}/time-off/{off['time_off_id']}", shared.staff
        )
        await reader.until(3)
    assert sorted(changes(reader)[:2]) == [("freed", instant(first)), ("taken", instant(first))]
    assert changes(reader)[2] == ("freed", instant(first))


async def test_a_reader_who_missed_something_has_to_come_back(
    shared: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor_id, patient = await shared.doctor(), await shared.patient()
    first, *_ = await shared.slots(doctor_id)

    def lose(watcher: Watcher, event: StoredEvent) -> None:
        watcher.lost = True

    async with watching(shared, doctor_id) as reader:
        monkeypatch.setattr(Watcher, "offer", lose)
        monkeypatch.setattr(live, "HEARTBEAT_INTERVAL_S", 0.05)
        await booked(shared, patient.headers, doctor_id, first)

        async def ended() -> bool:
            return reader.ended

        await until_async(ended, "the stream has ended", 20)


async def test_a_silent_stream_has_heartbeats(shared: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_INTERVAL_S", 0.05)
    doctor_id, busy_id = await shared.doctor(), await shared.doctor()
    async with watching(shared, doctor_id) as reader:

        async def beating() -> bool:
            return reader.comments.count("heartbeat") >= 3

        await until_async(beating, "heartbeats")
        await booked(shared, (await shared.patient()).headers, busy_id, (await shared.slots(busy_id))[0])
    assert reader.messages == []


async def test_an_unknown_doctor_is_not_found(shared: Clinic) -> None:
    for doctor_id in (str(clock.new_id()), "nobody"):
        response = await shared.http.get(f"/v1/doctors/{doctor_id}/availability/events")
        problem(response, 404, "not_found")


async def test_streams_have_places(settings: Settings, template: str) -> None:
    few = settings.model_copy(update={"streams_per_network_max": 2})
    async with running_clinic(few, template) as clinic, contextlib.AsyncExitStack() as exits:
        doctor_id = await clinic.doctor()
        path = f"/v1/doctors/{doctor_id}/availability/events"
        for _ in range(2):
            await exits.enter_async_context(watching(clinic, doctor_id))

        too_many = await clinic.http.get(path)
        problem(too_many, 429, "rate_limited")
        assert too_many.headers["retry-after"] == "30"

        await exits.aclose()

        async def free() -> bool:
            async with clinic.http.stream("GET", path) as response:
                return response.status_code == 200

        await until_async(free, "the places are free again")
