"""Combines many small concurrent look-ups or writes into one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Coalesced(Generic[K, V]):
    """Collects keys while a call of `fetch` is running, and passes all of them to the next call.

    One call at a time, in the order of the requests; equal keys in one call are combined. A call begins after
    its keys were requested, so no caller gets a state older than its request. For writes, a key is the data
    to write, and its value whether it was written.
    """

    def __init__(self, fetch: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        """`fetch` returns a value for each key that it found or wrote."""
        self._fetch = fetch
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._runner: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value, or None if there is none. Raises what `fetch` raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        # Shielded: a cancelled caller must not cancel the result of the others.
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    found = await self._fetch(list(asked))
                except Exception as error:
                    for answer in asked.values():
                        answer.set_exception(error)
                        answer.exception()  # retrieved, in case all callers were cancelled
                else:
                    for key, answer in asked.items():
                        answer.set_result(found.get(key))
        finally:
            self._runner = None
