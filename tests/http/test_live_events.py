"""The book live for staff (server-sent events): every event once, in order, whichever ingress one reads."""

import asyncio
import contextlib
import json
import socket
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.topics import COMMANDS, EVENTS
from infra import clock
from infra.kafka import topic_name
from ingress import event_feed, staff_events
from ingress.event_feed import Place
from tests.clinic import Clinic, free_port, ingress
from tests.http.asking import booked, booking, cancel, pointers, problem, reschedule
from tests.waiting import until_async

PATH = "/v1/staff/events"
START = str(Place([0] * EVENTS.partitions))


@dataclass
class Reader:
    """What a stream has brought so far; `last_id` is what to come back with."""

    messages: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_id: str = ""
    ended: bool = False

    async def read(self, lines: AsyncIterator[str]) -> None:
        """The stream's grammar (WHATWG HTML, section 9.2.6), as far as it is used."""
        values: dict[str, str] = {}
        async for line in lines:
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(": ")
                values[name] = value
            else:
                self.last_id = values.get("id", self.last_id)
                if "data" in values:
                    self.messages.append((values["event"], values["data"]))
                values = {}
        self.ended = True

    @property
    def data(self) -> list[str]:
        return [data for _, data in self.messages]

    async def until(self, count: int) -> None:
        async def there() -> bool:
            return len(self.messages) >= count

        await until_async(there, f"{count} events")
        assert len(self.messages) == count

    async def opened(self) -> None:
        async def there() -> bool:
            return bool(self.comments and self.last_id)

        await until_async(there, "the stream is open")


@contextlib.asynccontextmanager
async def watching(
    http: httpx.AsyncClient, who: dict[str, str], last_id: str | None = None, **query: Any
) -> AsyncIterator[Reader]:
    """A reader at work, in the background."""
    headers = {**who, **({} if last_id is None else {"Last-Event-ID": last_id})}
    async with http.stream("GET", PATH, headers=headers, params=query) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        reader = Reader()
        reading = asyncio.create_task(reader.read(response.aiter_lines()))
        await reader.opened()
        try:
            yield reader
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@pytest.fixture(scope="module")
async def other(shared: Clinic) -> AsyncIterator[httpx.AsyncClient]:
    """Another ingress of the same clinic."""
    port = free_port()
    update = {"port": port, "url": f"http://127.0.0.1:{port}"}
    async with ingress(shared.settings.model_copy(update=update)) as http:
        yield http


@pytest.fixture
def watchers(monkeypatch: pytest.MonkeyPatch) -> "weakref.WeakSet[event_feed.Watcher]":
    """Those who watch: empty once nothing of them is in memory."""
    alive: weakref.WeakSet[event_feed.Watcher] = weakref.WeakSet()

    class Seen(event_feed.Watcher):
        def __init__(self) -> None:
            super().__init__()
            alive.add(self)

    monkeypatch.setattr(event_feed, "Watcher", Seen)
    return alive


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


async def something(reader: Reader) -> bool:
    return bool(reader.messages)


class BigBook:
    """A clinic whose events are written by the test itself, as many and as large as it likes."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.count = 0

    async def write(self, number: int, size: int) -> None:
        sequences = [self.count + more for more in range(1, number + 1)]
        async with self.clinic.postgres.acquire() as connection, connection.transaction():
            await connection.execute(
                """
                INSERT INTO booking.events
                    (partition, sequence, event_id, type, key, subject, command_id, decided_at, data)
                SELECT 0, sequence, gen_random_uuid(), 'DoctorUpdated', 'key', 'key', gen_random_uuid(),
                    now(), format('{"number": %s, "name": "%s"}', sequence, repeat('x', $2))::json
                FROM unnest($1::bigint[]) sequence
                """,
                *(sequences, size),
            )
            await connection.execute(
                """
                INSERT INTO booking.partition_progress (topic, partition, topic_id, event_count)
                VALUES ($1, 0, $2, $3)
                ON CONFLICT (topic, partition) DO UPDATE SET event_count = $3
                """,
                *(topic_name(self.clinic.settings, COMMANDS), uuid4(), sequences[-1]),
            )
        self.count += number


async def numbers(reader: Reader) -> list[int]:
    return [json.loads(data)["number"] for data in reader.data]


class TestAReaderThatDoesNotKeepUp:
    @pytest.fixture
    def book(self, undecided: Clinic, monkeypatch: pytest.MonkeyPatch) -> BigBook:
        monkeypatch.setattr(event_feed, "LOOK_INTERVAL_S", 0.02)
        return BigBook(undecided)

    async def test_reads_from_the_table_what_it_could_not_be_handed(
        self, book: BigBook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_feed, "WAITING_MAX", 10)
        clinic = book.clinic
        await book.write(1, 10)
        async with watching(clinic.http, clinic.staff) as reader:
            for _ in range(4):
                await book.write(1_000, 10)
            await reader.until(4_000)
            assert await numbers(reader) == list(range(2, 4_002))

    async def test_is_dropped_and_its_memory_freed_and_others_are_not_disturbed(
        self,
        book: BigBook,
        monkeypatch: pytest.MonkeyPatch,
        watchers: "weakref.WeakSet[event_feed.Watcher]",
    ) -> None:
        monkeypatch.setattr(staff_events, "SLOW_READER_TIMEOUT_S", 0.5)
        monkeypatch.setattr(event_feed, "WAITING_MAX", 5)
        clinic, loop = book.clinic, asyncio.get_running_loop()
        # More than all the buffers between the two can hold.
        await book.write(250, 64 * 1024)
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024)
            stalled.setblocking(False)
            await loop.sock_connect(stalled, (clinic.settings.host, clinic.settings.port))
            lines = [f"GET {PATH} HTTP/1.1", "Host: x", f"Last-Event-ID: {START}"]
            lines += [f"{name}: {value}" for name, value in clinic.staff.items()]
            await loop.sock_sendall(stalled, "\r\n".join([*lines, "", ""]).encode())
            assert (await loop.sock_recv(stalled, 12)).endswith(b"200")

            async with watching(clinic.http, clinic.staff) as reader:
                assert len(watchers) == 2
                sizes: list[int] = []

                async def dropped() -> bool:
                    await book.write(3, 10)
                    sizes.extend(watcher._events.qsize() for watcher in watchers)
                    return len(watchers) == 1

                await until_async(dropped, "the reader that takes nothing is dropped")
                assert max(sizes) <= 5
                await reader.until(book.count - 250)
                assert await numbers(reader) == list(range(251, book.count + 1))

            received = await to_the_end(stalled)
        partly = Reader()
        await partly.read(received)
        assert 0 < len(partly.messages) < 250
        async with watching(clinic.http, clinic.staff, partly.last_id) as again:
            await again.until(book.count - len(partly.messages))
            assert await numbers(partly) + await numbers(again) == list(range(1, book.count + 1))


async def to_the_end(stalled: socket.socket) -> AsyncIterator[str]:
    """The lines that reached the socket before the server closed it."""
    loop, content = asyncio.get_running_loop(), b""
    async with asyncio.timeout(10):
        while some := await loop.sock_recv(stalled, 1 << 20):
            content += some
    # The stream is chunked (RFC 9112, section 7.1): one message, one chunk.
    text = content.partition(b"\r\n\r\n")[2]

    async def lines() -> AsyncIterator[str]:
        rest = text
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length:
                return
            for line in rest[:length].decode().splitlines():
                yield line
            rest = rest[length + 2 :]

    return lines()
