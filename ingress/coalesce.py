"""Many small look-ups at the same time become one query."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Coalesced(Generic[K, V]):
    """Looks up keys with `fetch`, one call at a time: what is asked meanwhile goes with the next call.

    Every answer was read after its question was asked, so nobody sees a state older than the question.
    """

    def __init__(self, fetch: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._fetch = fetch
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._runner: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The value, or None where there is none. Raises what `fetch` raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        # Shielded: one that gives up must not take the answer from the others.
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
                        answer.exception()  # an asker that has gone will not look at it
                else:
                    for key, answer in asked.items():
                        answer.set_result(found.get(key))
        finally:
            self._runner = None
