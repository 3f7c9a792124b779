"""A dead letter is written once, wherever its writer stops."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from booking_worker import store
from booking_worker.dead_letters import DeadLetters
from booking_worker.incoming import read
from booking_worker.main import running_worker
from contracts.dead_letters import UndecodableError, origin_of
from contracts.topics import COMMANDS, DEAD_LETTERS
from infra.errors import TransientError
from infra.kafka import start_producer, topic_ids, topic_name
from tests.clinic import Clinic, records
from tests.delivery.ledger import commands_topic, settle
from tests.delivery.test_dead_letters import Poison, command


@pytest.fixture
async def poison(undecided: Clinic) -> AsyncIterator[Poison]:
    producer = await start_producer(undecided.settings, "poison")
    yield Poison(undecided, producer)
    await producer.stop()


async def offsets(clinic: Clinic) -> list[int]:
    """Where the dead letters came from."""
    origins = [origin_of(letter.headers) for letter in await records(clinic.settings, DEAD_LETTERS)]
    return [origin.offset for origin in origins if origin]


async def test_stopped_between_the_acknowledgement_and_the_commit(
    poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = poison.clinic
    for value in (b"nonsense", b"", b"{}"):
        await poison.send(command(), value=value)
    acknowledged = asyncio.Event()
    write = store.write

    async def never(*_: Any) -> None:
        acknowledged.set()
        raise ConnectionError("the database went away")

    monkeypatch.setattr(store, "write", never)
    async with running_worker(clinic.settings), asyncio.timeout(30):
        await acknowledged.wait()
    assert await offsets(clinic) == [0, 1, 2]
    assert await clinic.postgres.fetchval("SELECT max(next_offset) FROM booking.partition_progress") == 0

    monkeypatch.setattr(store, "write", write)
    await poison.send(command(), value=b"[]")
    async with running_worker(clinic.settings):
        await settle(clinic)
    assert await offsets(clinic) == [0, 1, 2, 3]


async def test_one_that_was_replaced_can_write_nothing_more(poison: Poison) -> None:
    clinic = poison.clinic
    for _ in range(2):
        await poison.send(command(), value=b"nonsense")
    ids = await topic_ids(clinic.settings, [commands_topic(clinic)])

    def letters() -> DeadLetters:
        topic = topic_name(clinic.settings, DEAD_LETTERS)
        return DeadLetters(clinic.settings, "owner", topic, ids[commands_topic(clinic)])

    items = [read(record) for record in await records(clinic.settings, COMMANDS)]
    dead = [(item, item.error) for item in items if isinstance(item.error, UndecodableError)]
    assert len(dead) == 2
    frozen, owner = letters(), letters()
    await frozen.open([poison.partition])
    await owner.open([poison.partition])
    await owner.publish(dead[:1])

    with pytest.raises(TransientError):
        await frozen.publish(dead)
    assert await offsets(clinic) == [0]
    # Opened again it knows what is there, and the other is shut out.
    await frozen.open([poison.partition])
    await frozen.publish(dead)
    with pytest.raises(TransientError):
        await owner.publish(dead)
    assert await offsets(clinic) == [0, 1]
    await asyncio.gather(frozen.close(), owner.close())
