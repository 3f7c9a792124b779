"""Long work of a request, in steps that others take turns with, and that are paid for by who asked."""

from collections.abc import Generator, Iterable
from typing import TypeVar

from fastapi import Request

from ingress.request_limits.middleware import budget_of
from ingress.request_limits.turns import grouped
from ingress.resources import resources

# So many appointments, times off, days, profiles or rows take about a millisecond.
ITEMS_PER_STEP = 20

T = TypeVar("T")


async def in_steps(request: Request, work: Generator[None, None, T]) -> T:
    """The result of a computation that yields after each item.

    Raises:
        Problem: 429, the caller's budget is spent.
    """
    return await resources(request).turns.take(grouped(work, ITEMS_PER_STEP), budget_of(request))


async def all_in_steps(request: Request, items: Iterable[T]) -> list[T]:
    """The items, each of which is made when it is asked for. Raises as `in_steps`."""
    return await in_steps(request, _collected(items))


def _collected(items: Iterable[T]) -> Generator[None, None, list[T]]:
    found = []
    for item in items:
        found.append(item)
        yield
    return found
