"""A dead letter is written once, wherever its writer stops."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from booking_worker.decide.command_record import read_record
from booking_worker.main import running_worker
from booking_worker.metrics import DEAD_LETTERS
from booking_worker.publish.dead_letters import DeadLetters, Letter
from booking_worker.store import store
from contracts.dead_letters import UndecodableError, origin_of
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC
from infra.errors import TransientError
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.kafka.topic_id import topic_ids
from tests.clinic import Clinic, records
from tests.delivery.ledger import commands_topic, settle
from tests.delivery.test_dead_letters import Poison, command


@pytest.fixture
async def poison(undecided: Clinic) -> AsyncIterator[Poison]:
    producer = await start_producer(undecided.settings, "poison")
    yield Poison(undecided, producer)
    await producer.stop()


async def offsets(clinic: Clinic) -> list[int]:
    """The origins of the dead letters."""
    origins = [origin_of(letter.headers) for letter in await records(clinic.settings, DEAD_LETTERS_TOPIC)]
    return [origin.offset for origin in origins if origin]


async def dead(poison: Poison, count: int) -> list[Letter]:
    """Commands that cannot be decided, new on the log, and why."""
    for _ in range(count):
        await poison.send(command(), value=b"nonsense")
    items = [read_record(record) for record in await records(poison.clinic.settings, COMMANDS_TOPIC)]
    found = [(item, item.error) for item in items if isinstance(item.error, UndecodableError)]
    assert len(found) == count
    return found


async def dead_letters(clinic: Clinic) -> DeadLetters:
    ids = await topic_ids(clinic.settings, [commands_topic(clinic)])
    topic = topic_name(clinic.settings, DEAD_LETTERS_TOPIC)
    return DeadLetters(clinic.settings, "owner", topic, ids[commands_topic(clinic)])


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


async def test_cut_off_after_the_letters_were_written(
    poison: Poison, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, found = await dead_letters(poison.clinic), await dead(poison, 1)
    counted = DEAD_LETTERS.labels(found[0][1].reason)
    before = counted._value.get()
    await letters.open([poison.partition])
    commit = AIOKafkaProducer.commit_transaction
    committed = asyncio.Event()

    async def commit_and_wait(producer: AIOKafkaProducer) -> None:
        await commit(producer)
        committed.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(AIOKafkaProducer, "commit_transaction", commit_and_wait)
    publishing = asyncio.create_task(letters.publish(found))
    await committed.wait()
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    monkeypatch.undo()

    assert counted._value.get() == before
    await letters.open([poison.partition])
    for _ in range(2):
        await letters.publish(found)
    assert await offsets(poison.clinic) == [0]
    # An alert looks at this count, so a letter whose acknowledgement was lost counts as well, once.
    assert counted._value.get() == before + 1
    await letters.close()


async def test_a_replaced_worker_can_write_no_more(poison: Poison) -> None:
    clinic, found = poison.clinic, await dead(poison, 2)
    frozen, owner = await dead_letters(clinic), await dead_letters(clinic)
    await frozen.open([poison.partition])
    await owner.open([poison.partition])
    await owner.publish(found[:1])

    with pytest.raises(TransientError):
        await frozen.publish(found)
    assert await offsets(clinic) == [0]
    # The next owner knows the letters that are there, and fences the other one.
    await frozen.open([poison.partition])
    await frozen.publish(found)
    with pytest.raises(TransientError):
        await owner.publish(found)
    assert await offsets(clinic) == [0, 1]
    await asyncio.gather(frozen.close(), owner.close())
