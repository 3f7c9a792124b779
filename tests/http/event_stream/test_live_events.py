"""Live events for staff (server-sent events): every event once, in order, from any ingress."""

import asyncio
import contextlib
import json
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from contracts.commands import Actor, ActorKind
from contracts.topics import EVENTS_TOPIC
from infra import clock
from ingress.event_stream import feed as event_feed
from ingress.event_stream import routes as staff_events
from ingress.event_stream.feed import StreamPosition
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import booked, booking, cancel, pointers, problem, reschedule
from tests.http.event_stream.live_reader import PATH, START, something, watching
from tests.waiting import until_async


@pytest.fixture(scope="module")
async def other(shared: Clinic) -> AsyncIterator[httpx.AsyncClient]:
    """Another ingress of the same clinic."""
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}"}
    async with ingress(shared.settings.model_copy(update=update)) as http:
        yield http


async def stored(clinic: Clinic, behind: str) -> dict[int, list[str]]:
    """The data of the events after a position, by partition, in order."""
    position, found = StreamPosition.parse(behind), defaultdict(list)
    assert position is not None
    for row in await clinic.postgres.fetch("SELECT * FROM booking.events ORDER BY partition, sequence"):
        if row["sequence"] > position.sequences[row["partition"]]:
            found[row["partition"]].append(row["data"])
    return dict(found)


async def check_complete(clinic: Clinic, behind: str, seen: list[str]) -> None:
    """Asserts that every event was seen once, those of a partition in order."""
    partitions = await stored(clinic, behind)
    assert sorted(seen) == sorted(data for in_order in partitions.values() for data in in_order)
    partition_of = {data: number for number, in_order in partitions.items() for data in in_order}
    assert {
        number: [data for data in seen if partition_of[data] == number] for number in partitions
    } == partitions


class TestTheStream:
    async def test_brings_what_happens(self, shared: Clinic) -> None:
        first_doctor, second_doctor, patient = (
            await shared.doctor(),
            await shared.doctor(),
            await shared.patient(),
        )
        free = await shared.slots(first_doctor)
        async with watching(shared.http, shared.staff) as reader:
            begin = reader.last_id
            # At once: the first event must not be lost while the stream is being opened.
            path = await booked(shared, patient.headers, first_doctor, free[0], reason="My left knee")
            await reader.until(1)
            await reschedule(shared, path, patient.headers, free[4], doctor_id=second_doctor)
            await cancel(shared, path, patient.headers)
            await shared.refused("POST", f"{path}/reschedule", shared.staff, {"starts_at": free[0]})
            body = {"starts_at": free[0], "ends_at": free[4]}
            await shared.confirmed("POST", f"/v1/doctors/{first_doctor}/time-off", shared.staff, body)
            await reader.until(5)
            await check_complete(shared, begin, reader.data)
        events = {type_: json.loads(data) for type_, data in reader.messages}
        assert set(events) == {
            "AppointmentBooked", "AppointmentRescheduled", "AppointmentCancelled", "CommandRefused",
            "TimeBlocked",
        }  # fmt: skip
        assert events["AppointmentRescheduled"]["previous"]["doctor_id"] == first_doctor
        assert events["CommandRefused"]["reason"] == "not_booked"
        assert "knee" not in str(reader.messages)

    async def test_brings_the_first_event_to_the_first_reader(self, shared: Clinic) -> None:
        doctor_id = await shared.doctor()
        for _ in range(5):
            async with watching(shared.http, shared.staff) as reader:
                change = {"name": f"Dr. {clock.new_id()}"}
                await shared.confirmed("PATCH", f"/v1/doctors/{doctor_id}", shared.staff, change)
                await reader.until(1)
                assert change["name"] in reader.data[0]

    async def test_brings_every_event_to_every_reader_when_many_book_at_once(
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
            assert (len(states), states.count("confirmed")) == (80, 10), "nobody is with two doctors at once"
            for reader in readers:
                await reader.until(80)
                await check_complete(shared, begin, reader.data)
            assert {reader.last_id for reader in readers} == {readers[0].last_id}

    async def test_can_be_filtered_by_a_doctor_who_may_lose_an_appointment(self, shared: Clinic) -> None:
        first_doctor, second_doctor, patient = (
            await shared.doctor(),
            await shared.doctor(),
            await shared.patient(),
        )
        free = await shared.slots(first_doctor)
        async with (
            watching(shared.http, shared.staff, doctor_id=first_doctor) as first,
            watching(shared.http, shared.staff, doctor_id=second_doctor) as second,
        ):
            begin = first.last_id
            path = await booked(shared, patient.headers, first_doctor, free[0])
            await reschedule(shared, path, patient.headers, free[4], doctor_id=second_doctor)
            await cancel(shared, path, patient.headers)
            await booked(shared, patient.headers, first_doctor, free[0])
            await second.until(2)
            await first.until(3)
        moved, gone = "AppointmentRescheduled", "AppointmentCancelled"
        assert [type_ for type_, _ in second.messages] == [moved, gone]
        assert sorted(type_ for type_, _ in first.messages) == [*["AppointmentBooked"] * 2, moved]
        async with watching(shared.http, shared.staff, begin, doctor_id=second_doctor) as again:
            await again.until(2)
            assert again.messages == second.messages

    async def test_sends_heartbeats_while_nothing_happens(
        self, shared: Clinic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(staff_events, "HEARTBEAT_INTERVAL_S", 0.05)
        quiet, busy = await shared.doctor(), await shared.doctor()
        async with watching(shared.http, shared.staff, doctor_id=quiet) as reader:
            begin = reader.last_id

            async def beaten() -> bool:
                # Events that are filtered out count as silence for this reader.
                path = f"/v1/doctors/{busy}"
                await shared.confirmed("PATCH", path, shared.staff, {"name": f"Dr. {clock.new_id()}"})
                return reader.comments.count("heartbeat") >= 5 and reader.last_id != begin

            await until_async(beaten, "five heartbeats")
            assert reader.messages == []

    async def test_is_for_staff(self, shared: Clinic) -> None:
        patient = await shared.patient()
        problem(await shared.http.get(PATH, headers=patient.headers), 403, "forbidden")
        problem(await shared.http.get(PATH), 401, "unauthenticated")
        answer = await shared.http.get(PATH, headers=shared.staff, params={"doctor_id": "x"})
        assert pointers(answer) == ["/doctor_id"]

    async def test_leaves_nothing_in_memory_when_its_reader_disconnects(
        self, shared: Clinic, watchers: "weakref.WeakSet[event_feed.Watcher]"
    ) -> None:
        for _ in range(3):
            async with watching(shared.http, shared.staff), watching(shared.http, shared.staff):
                assert len(watchers) >= 2

            async def gone() -> bool:
                return len(watchers) == 0

            await until_async(gone, "nothing of the watchers is left")


class TestResuming:
    async def test_continues_after_the_last_id_at_any_ingress(
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
                await asyncio.gather(*(change(number + change_number) for change_number in range(3)))

        changing = asyncio.create_task(keep_changing())
        hops = 0
        while len(seen) < total:
            http = (shared.http, other)[hops % 2]
            async with watching(http, shared.staff, last_id) as reader:
                await until_async(lambda: something(reader), "an event")
                # Disconnect in the middle.
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
        beyond = str(StreamPosition([10**12] * EVENTS_TOPIC.partitions))
        for bad in ("", "0", "x", START[:-2], f"{START}.0", START.replace("0", "-1", 1), beyond, "1" * 200):
            answer = await shared.http.get(PATH, headers={**shared.staff, "Last-Event-ID": bad})
            assert pointers(answer) == ["/last-event-id"], bad


async def test_a_stream_ends_when_its_token_expires(shared: Clinic) -> None:
    actor = Actor(kind=ActorKind.STAFF, id=clock.new_id())
    expires_s = int(clock.now().timestamp()) + 2
    async with watching(shared.http, shared.headers(actor, timedelta(seconds=2))) as reader:

        async def ended() -> bool:
            return reader.ended

        await until_async(ended, "the stream has ended, whole")
        assert clock.now().timestamp() >= expires_s
