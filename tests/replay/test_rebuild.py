"""Folding the events gives back what deciding made, byte for byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from booking_worker import catch_up
from booking_worker.catch_up import CatchUp
from booking_worker.folding import Commands, fold
from booking_worker.main import running_worker
from booking_worker.sql import SESSION
from contracts.commands import Command
from contracts.topics import COMMANDS, DEAD_LETTERS, EVENTS
from infra import clock
from infra.errors import MisconfiguredError
from infra.kafka import start_producer, topic_ids, topic_name
from infra.postgres import open_pool
from infra.settings import Settings
from ops.replay.rebuild import fold_all
from tests.clinic import database, records, worker_process
from tests.replay.conftest import Told, copy_of, decided, execute, fetchval, settled, state
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
PATIENCE_S = 30.0
LATE_S = 1.0
OTHER_PATIENT = UUID("99999999-2222-4333-8444-555555555555")


@contextlib.asynccontextmanager
async def folding(settings: Settings) -> AsyncIterator[CatchUp]:
    """What folds events, as a worker has it, but with an end to its patience."""
    topic = topic_name(settings, COMMANDS)
    ids = await topic_ids(settings, [topic])
    pool = await open_pool(settings.worker_dsn, "folding", connections_max=8, server_settings=SESSION)
    yield CatchUp(settings, "folding", pool, topic, ids[topic], PATIENCE_S)
    await pool.close()


async def test_an_empty_database_becomes_the_same(told: Told, template: str) -> None:
    original = await state(told.settings)
    events = await records(told.settings, EVENTS)
    letters = await records(told.settings, DEAD_LETTERS)
    async with database(told.settings, template) as empty:
        rebuilt = await fold_all(empty)

        assert rebuilt.state == original, told.seed
        assert rebuilt.folded == original.rows["events"] <= len(events)
        assert (await fold_all(empty)).folded == 0
        # Whoever goes on from here finds nothing to do but what left no trace, and does nothing twice.
        await decided(empty)
        assert await state(empty) == original
    assert await records(told.settings, EVENTS) == events
    assert await records(told.settings, DEAD_LETTERS) == letters


async def test_a_history_has_all_that_is_to_be_rebuilt(told: Told) -> None:
    """What the other tests rest on."""
    types = set(await fetchval(told.settings, "SELECT array_agg(DISTINCT type) FROM booking.events"))
    assert types == {
        *("DoctorRegistered", "DoctorUpdated", "WeeklyHoursSet", "TimeBlocked", "TimeUnblocked"),
        *("AppointmentBooked", "AppointmentRescheduled", "AppointmentCancelled", "OutcomeRecorded"),
        *("CommandConfirmed", "CommandRefused", "CommandFailed"),
    }, told.seed
    moved = """
        SELECT count(*) FROM booking.events a JOIN booking.events b USING (subject)
        WHERE a.type = 'AppointmentBooked' AND b.type = 'AppointmentRescheduled'
            AND a.partition <> b.partition
    """
    assert await fetchval(told.settings, moved) > 0, told.seed


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
        events = await records(own, EVENTS)
        letters = await records(own, DEAD_LETTERS)

        await decided(restored)

        assert await state(restored) == original
        assert await records(own, EVENTS) == events
        assert await records(own, DEAD_LETTERS) == letters
        # And deciding goes on.
        await send(own, History(clock.new_id().int, 100).records())
        await decided(restored)
        assert (await state(restored)).rows["events"] > original.rows["events"]


async def test_nothing_is_decided_before_all_partitions_have_caught_up(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another partition decided counts here: a visit that was moved away, the patient's other visit."""
    first, second = doctors_in_different_partitions()
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    soon, later = now + timedelta(days=2), now + timedelta(days=3)
    leaves = booked(first, soon)
    before: list[Command] = [*opened(first), *opened(second), leaves]
    await send(own, (record_of(one, now) for one in before))
    await decided(own)
    async with copy_of(own) as restored:
        since: list[Command] = [moved(leaves, second, soon), booked(second, later)]
        await send(own, (record_of(one, now) for one in since))
        await decided(own)
        into_the_gap, twice = booked(first, soon, OTHER_PATIENT), booked(first, later)
        await send(own, (record_of(one, now) for one in (into_the_gap, twice)))

        async def late(pool: asyncpg.Pool, topic: str, commands: dict[int, Commands]) -> dict[int, int]:
            await asyncio.sleep(LATE_S)
            return await fold(pool, topic, commands)

        monkeypatch.setattr(catch_up, "fold", late)
        await decided(restored)

        query = "SELECT coalesce(reason, state) FROM booking.decisions WHERE command_id = $1"
        said = [await fetchval(restored, query, one.command_id) for one in (into_the_gap, twice)]
        assert said == ["confirmed", "patient_busy"]


async def test_a_worker_killed_while_it_catches_up_goes_on(told: Told, template: str, tmp_path: Path) -> None:
    original, events = await state(told.settings), len(await records(told.settings, EVENTS))
    async with database(told.settings, template) as empty:
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
    assert len(await records(told.settings, EVENTS)) == events


async def test_two_who_catch_up_at_the_same_time_fold_everything_once(told: Told, template: str) -> None:
    async with database(told.settings, template) as empty, folding(empty) as one, folding(empty) as other:
        everything = [who.run(number) for who in (one, other) for number in range(EVENTS.partitions)]
        await asyncio.gather(*everything)
        assert await state(empty) == await state(told.settings)


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

    # With one partition at its end, each single event of the other is in conflict.
    monkeypatch.setattr(catch_up, "TRANSACTION_COMMANDS_MAX", 1)
    for order in ((first, second), (second, first)):
        async with database(own, template) as empty, folding(empty) as fold:
            for doctor_id in order:
                await fold.run(partition_of(doctor_id))
            assert await state(empty) == original


async def test_running_workers_stop_a_rebuild(own: Settings) -> None:
    async with running_worker(own):
        await settled(own)
        with pytest.raises(MisconfiguredError, match=r"Workers are running \(worker\)"):
            await fold_all(own)


async def test_a_database_with_another_history_is_left_alone(told: Told) -> None:
    async with copy_of(told.settings) as other:
        await execute(
            other,
            """
            UPDATE booking.events e SET event_id = gen_random_uuid() FROM booking.partition_progress p
            WHERE e.partition = p.partition AND e.sequence = p.event_count
            """,
        )
        before = await state(other)
        with pytest.raises(MisconfiguredError, match="they tell different histories"):
            await fold_all(other)
        assert await state(other) == before


async def test_a_topic_that_lost_events_stops_everything(told: Told) -> None:
    async with copy_of(told.settings) as ahead:
        await execute(
            ahead,
            "UPDATE booking.partition_progress SET event_count = 10000, published_count = 10000",
        )
        with pytest.raises(MisconfiguredError, match="events are missing"):
            await fold_all(ahead)


async def test_an_event_that_is_missing_on_the_topic_is_not_jumped_over(own: Settings, template: str) -> None:
    await send(own, History(3, 40).records())
    await decided(own)
    producer = await start_producer(own, "test")
    [*_, last] = await records(own, EVENTS)
    headers = [(name, value) for name, value in last.headers if name != "ce_sequence"]
    sequence = int(dict(last.headers)["ce_sequence"]) + 2
    await producer.send_and_wait(
        topic_name(own, EVENTS),
        *(last.value, last.key),
        partition=last.partition,
        headers=[*headers, ("ce_sequence", str(sequence).encode())],
    )
    await producer.stop()
    async with database(own, template) as empty:
        with pytest.raises(MisconfiguredError, match=f"event {sequence - 1} is missing"):
            await fold_all(empty)


async def test_repeats_and_garbage_on_the_topic_are_passed_over(own: Settings, template: str) -> None:
    await send(own, History(4, 60).records())
    await decided(own)
    original, all_events = await state(own), await records(own, EVENTS)
    producer = await start_producer(own, "test")
    for event in all_events[-30:]:
        await producer.send_and_wait(
            topic_name(own, EVENTS),
            *(event.value, event.key),
            partition=event.partition,
            headers=list(event.headers),
        )
        await producer.send_and_wait(topic_name(own, EVENTS), b"garbage", partition=event.partition)
    await producer.stop()
    async with database(own, template) as empty:
        assert (await fold_all(empty)).state == original
        assert (await fold_all(empty)).folded == 0
    await decided(own)
    assert await state(own) == original
