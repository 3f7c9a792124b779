"""A worker whose database is behind its events folds them first, and decides nothing twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from booking_worker.main import running_worker
from booking_worker.recovery import catch_up
from booking_worker.recovery.catch_up import CatchUp
from booking_worker.recovery.fold import Commands, fold
from booking_worker.store.store import SESSION
from contracts.commands import Command
from contracts.topics import COMMANDS_TOPIC, DEAD_LETTERS_TOPIC, EVENTS_TOPIC
from infra import clock
from infra.crypto.event_mac import EventMac
from infra.kafka.connection import topic_name
from infra.kafka.topic_id import topic_ids
from infra.postgres import open_pool
from infra.settings import Settings
from storage.authentic_events import AuthenticEvents
from tests.clinic import database, records, worker_process
from tests.replay.conftest import Seeded, copy_of, decided, fetchval, settled, state
from tests.replay.examples import (
    booked,
    cancelled,
    doctors_in_different_partitions,
    moved,
    opened,
    partition_of,
    record_of,
)
from tests.replay.history import History
from tests.replay.sending import send
from tests.waiting import until_async

KILLS = 4


FOLDED_TIMEOUT_S = 120.0


LATE_S = 1.0


OTHER_PATIENT = UUID("99999999-2222-4333-8444-555555555555")


@contextlib.asynccontextmanager
async def folding(settings: Settings) -> AsyncIterator[CatchUp]:
    """Folds events as a worker does, but with a time limit."""
    topic = topic_name(settings, COMMANDS_TOPIC)
    ids = await topic_ids(settings, [topic])
    pool = await open_pool(settings.worker_dsn, "folding", connections_max=8, server_settings=SESSION)
    authentic = AuthenticEvents(EventMac.load(settings))
    async with asyncio.timeout(FOLDED_TIMEOUT_S):
        yield CatchUp(settings, "folding", pool, topic, ids[topic], authentic)
    await pool.close()


async def test_a_database_from_an_older_backup_catches_up_and_does_nothing_twice(own: Settings) -> None:
    whole = History(clock.new_id().int, 600).records()
    await send(own, islice(whole, 300))
    await decided(own)
    async with copy_of(own) as restored:
        backup = await state(restored)
        await send(own, whole)
        await decided(own)
        original = await state(own)
        assert backup != original
        events = await records(own, EVENTS_TOPIC)
        letters = await records(own, DEAD_LETTERS_TOPIC)

        await decided(restored)

        assert await state(restored) == original
        assert await records(own, EVENTS_TOPIC) == events
        assert await records(own, DEAD_LETTERS_TOPIC) == letters
        # And deciding continues.
        await send(own, History(clock.new_id().int, 100).records())
        await decided(restored)
        assert (await state(restored)).rows["events"] > original.rows["events"]


async def test_nothing_is_decided_before_all_partitions_have_caught_up(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions of other partitions matter: a visit that was moved away, the patient's other visit."""
    first, second = doctors_in_different_partitions()
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    soon, later = now + timedelta(days=2), now + timedelta(days=3)
    leaves = booked(first, soon)
    before: list[Command] = [*opened(first), *opened(second), leaves]
    await send(own, (record_of(command, now) for command in before))
    await decided(own)
    async with copy_of(own) as restored:
        since: list[Command] = [moved(leaves, second, soon), booked(second, later)]
        await send(own, (record_of(command, now) for command in since))
        await decided(own)
        into_the_gap, twice = booked(first, soon, OTHER_PATIENT), booked(first, later)
        await send(own, (record_of(command, now) for command in (into_the_gap, twice)))

        async def late(pool: asyncpg.Pool, topic: str, commands: dict[int, Commands]) -> dict[int, int]:
            await asyncio.sleep(LATE_S)
            return await fold(pool, topic, commands)

        monkeypatch.setattr(catch_up, "fold", late)
        await decided(restored)

        query = "SELECT coalesce(reason, state) FROM booking.decisions WHERE command_id = $1"
        said = [await fetchval(restored, query, command.command_id) for command in (into_the_gap, twice)]
        assert said == ["confirmed", "patient_busy"]


async def test_a_worker_killed_while_it_catches_up_continues(
    seeded: Seeded, template: str, tmp_path: Path
) -> None:
    original, events = (
        await state(seeded.settings),
        len(await records(seeded.settings, EVENTS_TOPIC)),
    )
    async with database(seeded.settings, template) as empty:
        for number in range(1, KILLS + 1):
            worker = worker_process(empty, tmp_path)
            await worker.start()
            goal = original.rows["events"] * number // (KILLS + 1)

            async def reached(goal: int = goal) -> bool:
                return bool(await fetchval(empty, "SELECT count(*) >= $1 FROM booking.events", goal))

            await until_async(reached, f"{goal} events folded", timeout_s=60)
            await worker.kill()
        await decided(empty)
        assert await state(empty) == original
    assert len(await records(seeded.settings, EVENTS_TOPIC)) == events


async def test_two_workers_catching_up_at_once_fold_every_event_once(seeded: Seeded, template: str) -> None:
    async with (
        database(seeded.settings, template) as empty,
        folding(empty) as first,
        folding(empty) as second,
    ):
        everything = [
            catching_up.run(number)
            for catching_up in (first, second)
            for number in range(EVENTS_TOPIC.partitions)
        ]
        await asyncio.gather(*everything)
        assert await state(empty) == await state(seeded.settings)


async def test_partitions_that_can_only_be_folded_together(
    own: Settings, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patient goes from one doctor to another and back, always at the same time of the day."""
    first, second = doctors_in_different_partitions()
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    commands = [*opened(first), *opened(second)]
    for doctor_id in (first, second, first, second):
        commands.append(booking := booked(doctor_id, now + timedelta(days=2)))
        commands.append(cancelled(booking))
    commands.append(booked(first, now + timedelta(days=2)))
    async with running_worker(own):
        for command in commands:
            await send(own, iter([record_of(command, now)]))
            await settled(own)
    original = await state(own)
    assert await fetchval(own, "SELECT count(*) FROM booking.decisions WHERE state = 'confirmed'") == 13

    # Once one partition is at its end, each single event of the other conflicts.
    monkeypatch.setattr(catch_up, "TRANSACTION_COMMANDS_MAX", 1)
    for order in ((first, second), (second, first)):
        async with database(own, template) as empty, folding(empty) as fold:
            for doctor_id in order:
                await fold.run(partition_of(doctor_id))
            assert await state(empty) == original
