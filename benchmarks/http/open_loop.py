"""The open loop: requests that have a time, sent then, whatever became of those before."""

import asyncio
import time
from collections.abc import Callable, Iterable

from benchmarks.http.load import CONNECTIONS_MAX, LAST_ANSWER_TIMEOUT_S, Connection, Samples, connect

READY_CONNECTIONS = 8

Planned = tuple[float, bytes, Samples]
"""When to send (seconds from the start), what, and where its answer is noted."""


class _Pool:
    """Connections by need, the one last used first."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)

    async def fill(self) -> None:
        self._idle = [await connect(self._url) for _ in range(READY_CONNECTIONS)]

    async def ask(self, request: bytes, intended_s: float, samples: Samples) -> None:
        async with self._room:
            connection = await self._take()
            answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

            def answered(status: int, body: bytes) -> None:
                if status:
                    samples.record(intended_s, status, body)
                else:
                    samples.lost()
                answer.set_result(status)

            connection.send(request, answered)
            if await answer:
                self._idle.append(connection)

    async def _take(self) -> Connection:
        while self._idle:
            # The ingress closes what was idle for some seconds.
            if (connection := self._idle.pop()).is_open:
                return connection
        return await connect(self._url)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


async def open_loop(
    url: str, planned: Iterable[Planned], starts_s: float, measuring: Callable[[], None] | None = None
) -> None:
    """Send what is planned, each at its time behind `starts_s` (`time.perf_counter`).

    The event loop's timers are up to 1 ms late; that counts as latency.
    """
    pool = _Pool(url)
    await pool.fill()
    unanswered: dict[asyncio.Task[None], Samples] = {}
    if measuring is not None:
        asyncio.get_running_loop().call_later(max(0.0, starts_s - time.perf_counter()), measuring)
    for at_s, request, samples in planned:
        intended_s = starts_s + at_s
        if (wait_s := intended_s - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        task = asyncio.create_task(pool.ask(request, intended_s, samples))
        unanswered[task] = samples
        task.add_done_callback(unanswered.pop)
    if unanswered:
        await asyncio.wait(list(unanswered), timeout=LAST_ANSWER_TIMEOUT_S)
    for task, samples in list(unanswered.items()):
        task.cancel()
        samples.lost()
    pool.close()
