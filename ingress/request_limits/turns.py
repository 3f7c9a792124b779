"""Long computations take turns, so that the event loop can serve others in between."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

from ingress.request_limits.budgets import Budget

# A step takes as long as some four requests for what is cached.
STEP_UNITS = 4

T = TypeVar("T")


def grouped(items: Generator[None, None, T], size: int) -> Generator[None, None, T]:
    """The same computation with larger steps: it yields after so many of its items."""
    while True:
        for _ in range(size):
            try:
                next(items)
            except StopIteration as end:
                result: T = end.value
                return result
        yield


class Turns:
    """One step of all long computations in each iteration of the event loop, in turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def take(self, steps: Generator[None, None, T], budget: Budget) -> T:
        """The computation's return value. It yields after each step, of about a millisecond.

        Raises:
            Problem: 429, the budget is spent.
        """
        while True:
            async with self._turn:
                try:
                    next(steps)
                except StopIteration as end:
                    result: T = end.value
                    return result
                budget.spend(STEP_UNITS)
                await asyncio.sleep(0)
