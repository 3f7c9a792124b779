"""Live events for clients that read them more slowly than they arrive."""

import asyncio
import json
import socket
import weakref
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from contracts.topics import COMMANDS_TOPIC
from infra.kafka.connection import topic_name
from ingress.event_stream import feed as event_feed
from ingress.event_stream import routes as staff_events
from tests.clinic import Clinic
from tests.http.event_stream.live_reader import PATH, START, Reader, watching
from tests.waiting import until_async


class BigBook:
    """A clinic whose events the test writes itself, of any number and size."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.count = 0

    async def write(self, number: int, size: int) -> None:
        sequences = [self.count + event_number for event_number in range(1, number + 1)]
        async with self.clinic.postgres.acquire() as connection, connection.transaction():
            await connection.execute(
                """
                INSERT INTO booking.events
                    (partition, sequence, event_id, type, key, subject, command_id, decided_at, data)
                SELECT 0, sequence, gen_random_uuid(), 'DoctorUpdated', 'key', 'key', gen_random_uuid(),
                    now(), format('{"number": %s, "name": "%s"}', sequence, repeat('x', $2))::json
                FROM unnest($1::bigint[]) sequence
                """,
                sequences,
                size,
            )
            await connection.execute(
                """
                INSERT INTO booking.partition_progress (topic, partition, topic_id, event_count)
                VALUES ($1, 0, $2, $3)
                ON CONFLICT (topic, partition) DO UPDATE SET event_count = $3
                """,
                topic_name(self.clinic.settings, COMMANDS_TOPIC),
                uuid4(),
                sequences[-1],
            )
        self.count += number


async def numbers(reader: Reader) -> list[int]:
    return [json.loads(data)["number"] for data in reader.data]


class TestAReaderThatDoesNotKeepUp:
    @pytest.fixture
    def book(self, undecided: Clinic, monkeypatch: pytest.MonkeyPatch) -> BigBook:
        monkeypatch.setattr(event_feed, "LOOK_INTERVAL_S", 0.02)
        return BigBook(undecided)

    async def test_reads_from_the_table_what_did_not_fit_its_queue(
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

    async def test_is_dropped_without_disturbing_others_and_its_memory_is_freed(
        self,
        book: BigBook,
        monkeypatch: pytest.MonkeyPatch,
        watchers: "weakref.WeakSet[event_feed.Watcher]",
    ) -> None:
        monkeypatch.setattr(staff_events, "SLOW_READER_TIMEOUT_S", 0.5)
        monkeypatch.setattr(event_feed, "WAITING_MAX", 5)
        clinic, loop = book.clinic, asyncio.get_running_loop()
        # More than all buffers between the two can hold.
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
        while chunk := await loop.sock_recv(stalled, 1 << 20):
            content += chunk
    # The response is chunked (RFC 9112, section 7.1): one message is one chunk.
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
