"""A client of the event stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from contracts.topics import EVENTS_TOPIC
from ingress.event_stream.feed import StreamPosition
from tests.waiting import until_async

PATH = "/v1/staff/events"
START = str(StreamPosition([0] * EVENTS_TOPIC.partitions))


@dataclass
class Reader:
    """The events received so far; `last_id` is the one to resume from."""

    messages: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    last_id: str = ""
    ended: bool = False

    async def read(self, lines: AsyncIterator[str]) -> None:
        """Parses the stream (WHATWG HTML, section 9.2.6), as far as this stream uses the format."""
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
    """A reader that runs in the background."""
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


async def something(reader: Reader) -> bool:
    return bool(reader.messages)
