"""Concurrent jobs, and one error for all of them."""

import asyncio

import pytest

from infra.jobs import all_of


async def test_results_come_in_the_order_of_the_jobs() -> None:
    begun = asyncio.Event()

    async def first() -> int:
        await begun.wait()
        return 1

    async def second() -> int:
        begun.set()
        return 2

    assert await all_of([first(), second()]) == [1, 2]


async def test_if_one_fails_the_others_end_before_its_error_is_raised() -> None:
    ended: list[bool] = []

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    async def failing() -> None:
        await asyncio.sleep(0)
        raise KeyError("this")

    with pytest.raises(KeyError, match="this"):
        await all_of([waiting(), failing()])
    assert ended == [True]
