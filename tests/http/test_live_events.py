"""The book live for staff (server-sent events): every event once, in order, whichever ingress one reads."""

import asyncio
import contextlib
import json
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator

import httpx
import pytest

from contracts.topics import EVENTS
from infra import clock
from ingress import event_feed, staff_events
from ingress.event_feed import Place
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import booked, booking, cancel, pointers, problem, reschedule
from tests.http.live_reader import PATH, START, something, watching
from tests.waiting import until_async


@pytest.fixture(scope="module")
async def other(shared: Clinic) -> AsyncIterator[httpx.AsyncClient]:
    """Another ingress of the same clinic."""
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}"}
    async with ingress(shared.settings.model_copy(update=update)) as http:
        yield http


async def stored(clinic: Clinic, behind: str) -> dict[int, list[str]]:
    """The data of the events behind a place, by partition, in order."""
    place, found = Place.parse(behind), defaultdict(list)
    assert place is not None
    for row in await clinic.postgres.fetch("SELECT * FROM booking.events ORDER BY partition, sequence"):
        if row["sequence"] > place.sequences[row["partition"]]:
            found[row["partition"]].append(row["data"])
    return dict(found)


async def check_complete(clinic: Clinic, behind: str, seen: list[str]) -> None:
    """Every event was seen once, those of a partition in their order."""
    partitions = await stored(clinic, behind)
    assert sorted(seen) == sorted(data for some in partitions.values() for data in some)
    partition_of = {data: number for number, some in partitions.items() for data in some}
    assert {
        number: [data for data in seen if partition_of[data] == number] for number in partitions
    } == partitions


class TestTheStream:
    async def test_brings_what_happens(self, shared: Clinic) -> None:
        one, two, patient = await shared.doctor(), await shared.doctor(), await shared.patient()
        free = await shared.slots(one)
        async with watching(shared.http, shared.staff) as reader:
            begin = reader.last_id
            # At once: the first event must not be lost while the stream is being set up.
            path = await booked(shared, patient.headers, one, free[0], reason="My left knee")
            await reader.until(1)
            await reschedule(shared, path, patient.headers, free[4], doctor_id=two)
            await cancel(shared, path, patient.headers)
            await shared.refused("POST", f"{path}/reschedule", shared.staff, {"starts_at": free[0]})
            body = {"starts_at": free[0], "ends_at": free[4]}
            await shared.confirmed("POST", f"/v1/doctors/{one}/time-off", shared.staff, body)
            await reader.until(5)
            await check_complete(shared, begin, reader.data)
        events = {type_: json.loads(data) for type_, data in reader.messages}
        assert set(events) == {
            *("AppointmentBooked", "AppointmentRescheduled", "AppointmentCancelled"),
            *("CommandRefused", "TimeBlocked"),
        }
        assert events["AppointmentRescheduled"]["previous"]["doctor_id"] == one
        assert events["CommandRefused"]["reason"] == "not_booked"
        assert "knee" not in str(reader.messages)

    async def test_brings_the_first_event_to_whoever_comes_first(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        for _ in range(5):
            async with watching(shared.http, shared.staff) as reader:
                change = {"name": f"Dr. {clock.new_id()}"}
                await shared.confirmed("PATCH", f"/v1/doctors/{doctor_id}", shared.staff, change)
                await reader.until(1)
                assert change["name"] in reader.data[0]

    async def test_brings_all_to_all_when_many_book_at_once(
        self, shared: Clinic, other: httpx.AsyncClient
    ) -> None:
        doctors = [await shared.doctor() for _ in range(8)]
        patients = [await shared.patient() for _ in range(10)]
        free = await shared.slots(doctors[0])
        async with contextlib.AsyncExitStack() as exits:
            readers = [
                await exits.enter_async_context(watching(http, shared.staff))
                for http in (shared.http, other) * 3
            ]
            begin = readers[0].last_id
            answers = await asyncio.gather(
                *(
                    shared.send("POST", "/v1/appointments", patient.headers, booking(doctor_id, at))
                    for patient, at in zip(patients, free[::4], strict=False)
                    for doctor_id in doctors
                )
            )
            states = [answer.json()["state"] for answer in answers]
            assert (len(states), states.count("confirmed")) == (80, 10), "nobody is at two doctors at once"
            for reader in readers:
                await reader.until(80)
                await check_complete(shared, begin, reader.data)
            assert {reader.last_id for reader in readers} == {readers[0].last_id}

    async def test_can_be_of_one_doctor_who_may_lose_an_appointment(self, shared: Clinic) -> None:
        one, two, patient = await shared.doctor(), await shared.doctor(), await shared.patient()
        free = await shared.slots(one)
        async with (
            watching(shared.http, shared.staff, doctor_id=one) as first,
            watching(shared.http, shared.staff, doctor_id=two) as second,
        ):
            begin = first.last_id
            path = await booked(shared, patient.headers, one, free[0])
            await reschedule(shared, path, patient.headers, free[4], doctor_id=two)
            await cancel(shared, path, patient.headers)
            await booked(shared, patient.headers, one, free[0])
            await second.until(2)
            await first.until(3)
        moved, gone = "AppointmentRescheduled", "AppointmentCancelled"
        assert [type_ for type_, _ in second.messages] == [moved, gone]
        assert sorted(type_ for type_, _ in first.messages) == [*["AppointmentBooked"] * 2, moved]
        async with watching(shared.http, shared.staff, begin, doctor_id=two) as again:
            await again.until(2)
            assert again.messages == second.messages

    async def test_beats_while_nothing_happens(self, shared: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(staff_events, "HEARTBEAT_INTERVAL_S", 0.05)
        quiet, busy = await shared.doctor(), await shared.doctor()
        async with watching(shared.http, shared.staff, doctor_id=quiet) as reader:
            begin = reader.last_id

            async def beaten() -> bool:
                # What happens to others is no sign of life to this reader.
                path = f"/v1/doctors/{busy}"
                await shared.confirmed("PATCH", path, shared.staff, {"name": f"Dr. {clock.new_id()}"})
                return reader.comments.count("still here") >= 5 and reader.last_id != begin

            await until_async(beaten, "five heartbeats")
            assert reader.messages == []

    async def test_is_for_staff(self, shared: Clinic) -> None:
        patient = await shared.patient()
        problem(await shared.http.get(PATH, headers=patient.headers), 403, "forbidden")
        problem(await shared.http.get(PATH), 401, "unauthenticated")
        answer = await shared.http.get(PATH, headers=shared.staff, params={"doctor_id": "x"})
        assert pointers(answer) == ["/doctor_id"]

    async def test_leaves_nothing_behind_when_its_reader_goes(
        self, shared: Clinic, watchers: "weakref.WeakSet[event_feed.Watcher]"
    ) -> None:
        for _ in range(3):
            async with watching(shared.http, shared.staff), watching(shared.http, shared.staff):
                assert len(watchers) >= 2

            async def gone() -> bool:
                return len(watchers) == 0

            await until_async(gone, "nothing of the watchers is left")


class TestComingBack:
    async def test_goes_on_behind_the_last_id_at_any_ingress(
        self, shared: Clinic, other: httpx.AsyncClient
    ) -> None:
        doctors = [await shared.doctor() for _ in range(6)]
        seen: list[str] = []
        async with watching(shared.http, shared.staff) as reader:
            begin = last_id = reader.last_id
        total = 60

        async def change(number: int) -> None:
            path = f"/v1/doctors/{doctors[number % 6]}"
            await shared.confirmed("PATCH", path, shared.staff, {"name": f"Dr. {number}"})

        async def keep_changing() -> None:
            for number in range(0, total, 3):
                await asyncio.gather(*(change(number + more) for more in range(3)))

        changing = asyncio.create_task(keep_changing())
        hops = 0
        while len(seen) < total:
            http = (shared.http, other)[hops % 2]
            async with watching(http, shared.staff, last_id) as reader:
                await until_async(lambda: something(reader), "an event")
                # Leave in the middle of things.
            seen += reader.data
            last_id = reader.last_id
            hops += 1
        await changing

        assert hops > 2
        await check_complete(shared, begin, seen)

    async def test_before_the_first_event_loses_none(self, shared: Clinic, other: httpx.AsyncClient) -> None:
        doctor_id = await shared.doctor()
        async with watching(shared.http, shared.staff) as reader:
            pass
        assert reader.messages == []
        await shared.confirmed("PATCH", f"/v1/doctors/{doctor_id}", shared.staff, {"name": "Dr. Meanwhile"})

        async with watching(other, shared.staff, reader.last_id) as again:
            await again.until(1)
            assert "Dr. Meanwhile" in again.data[0]

    async def test_from_the_start_brings_everything(
        self, shared: Clinic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_feed, "AT_ONCE_MAX", 7)
        count = await shared.postgres.fetchval("SELECT count(*) FROM booking.events")
        async with watching(shared.http, shared.staff, START) as reader:
            await reader.until(count)
            await check_complete(shared, START, reader.data)

    async def test_needs_an_id_of_this_stream(self, shared: Clinic) -> None:
        beyond = str(Place([10**12] * EVENTS.partitions))
        for bad in ("", "0", "x", START[:-2], f"{START}.0", START.replace("0", "-1", 1), beyond, "1" * 200):
            answer = await shared.http.get(PATH, headers={**shared.staff, "Last-Event-ID": bad})
            assert pointers(answer) == ["/last-event-id"], bad
