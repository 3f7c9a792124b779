"""Long computations take turns, so that the event loop serves others in between; each step is paid for."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

from ingress.request_limits.budgets import Budget

# A step takes about a millisecond: as long as some four requests for what is cached.
STEP_UNITS = 4

T = TypeVar("T")


class Turns:
    """One step of all long computations in each iteration of the event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def finish(self, steps: Generator[None, None, T], budget: Budget) -> T:
        """The return value of the generator, which yields after each step.

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
