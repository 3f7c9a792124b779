"""The auditor's periodic jobs: the errors that are retried, and those that end the process."""

import asyncio

import asyncpg
import pytest

from auditor.main import _repeating

FAULTS: list[Exception] = [
    asyncpg.InsufficientPrivilegeError("audit: 2019-10-01 is younger than 7 years"),
    asyncpg.UndefinedColumnError("a migration is in progress"),
    asyncpg.InvalidAuthorizationSpecificationError("the role may not log in"),
    asyncpg.DeadlockDetectedError("another transaction"),
    ConnectionRefusedError("no server"),
    # The server ended the session of a transaction that was idle for too long.
    asyncpg.InterfaceError("cannot call Transaction.__aexit__(): the underlying connection is closed"),
]


async def test_outages_and_system_faults_are_retried() -> None:
    faults, done = list(FAULTS), asyncio.Event()

    async def job() -> None:
        if faults:
            raise faults.pop()
        done.set()

    repeating = asyncio.create_task(_repeating(job, 0.0))
    await asyncio.wait_for(done.wait(), 5)
    repeating.cancel()
    assert not faults


@pytest.mark.parametrize("error", [asyncpg.CheckViolationError("a bug"), ZeroDivisionError("a bug")])
async def test_an_unknown_error_ends_the_auditor(error: Exception) -> None:
    async def job() -> None:
        raise error

    with pytest.raises(type(error), match="a bug"):
        await asyncio.wait_for(_repeating(job, 0.0), 5)
